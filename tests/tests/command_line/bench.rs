//! The command `bench`: a line for each measurement, and nothing left behind.

use serde_json::Value;

use super::folder::{Folder, MANIFEST, V1, prices};

#[test]
fn each_measurement_is_one_line_with_its_rate() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    let all = folder.worker("bench engine-quiet engine-orders csv candles-gz --ticks 2000 --json");
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    let figures: Vec<Value> = all.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["engine-quiet", "engine-orders", "csv", "candles-gz"]);
    for figure in &figures {
        assert!(figure["perSecond"].as_u64().unwrap() > 0, "{figure}");
        // A machine may count no instructions; then it says so.
        assert!(figure["instructions"].is_null() || figure["instructions"].as_u64().unwrap() > 0, "{figure}");
        assert_eq!(figure.as_object().unwrap().len(), 3, "{figure}");
    }
    let one = folder.worker("bench csv --ticks 2000");
    assert_eq!((one.code, one.stdout.lines().count()), (Some(0), 1));
    assert!(one.stdout.starts_with("csv ") && one.stdout.contains(" ticks/s"), "{}", one.stdout);
    let counted = one.stdout.contains("instructions a tick");
    assert_ne!(counted, one.stderr.contains("instructions are not counted: "), "{}{}", one.stdout, one.stderr);
}

#[test]
fn what_cannot_be_measured_is_a_wrong_use() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    for arguments in ["bench faster", "bench --ticks 0"] {
        assert_eq!(folder.worker(arguments).code, Some(2), "{arguments}");
    }
}
