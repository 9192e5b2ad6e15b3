//! A hole whose bars are whole by the venue's candles is told a second time, whichever process finds them so.

use super::*;

#[tokio::test]
async fn a_successor_tells_of_the_holes_that_its_predecessor_left_open() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    reader_needs(&stage, r#"[{"symbol":"BTC/USDT","interval":"1h","lookBack":4}]"#).await;
    stage.start(1);
    let mut source = stage.opened().await;
    say(&source, [News::Link(Link::Up)]);
    let wanted = candles(&mut source).await;
    until("bars", DEADLINE, async || stage.field("bars").await.filter(|kept| kept[0]["count"] == 4)).await;
    let hour = Interval::OneHour.millis();
    let at = |id: u64, hours: i64| {
        let time = wanted.to.plus_millis(hours * hour + 1_000 * i64::try_from(id).unwrap());
        News::Trade(LiveTrade { time, received: time, ..trade(BTC, id) })
    };
    // Two holes in one commit; the venue does not say before this process ends what they had.
    say(&source, [at(1, 0), at(2, 0), at(5, 0), at(9, 0), at(10, 1)]);
    stage.ticks(BTC, 5).await;
    let open = stage.gaps(2).await;
    assert_eq!(open.iter().map(|gap| (gap.missed, gap.filled)).collect::<Vec<_>>(), [(2, false), (3, false)]);
    assert_eq!(stage.field("unfilled").await.unwrap().as_array().map(Vec::len), Some(2));
    stage.stop().await;
    stage.start(2);
    let mut source = stage.opened().await;
    say(&source, [News::Link(Link::Up)]);
    candles(&mut source).await;
    let told = stage.gaps(4).await;
    let filled: Vec<Gap> = open.into_iter().map(|gap| Gap { filled: true, ..gap }).collect();
    assert_eq!(told[2..], filled);
    assert_eq!(stage.field("unfilled").await, Some(json!([])));
}

#[tokio::test]
async fn a_record_whose_open_holes_do_not_read_is_named_with_what_to_do() {
    let mut stage = Stage::new(&[BTC], bus::since_boot).await;
    record_has(&stage, (&stage.owner(), &stage.ledger), ("unfilled", "[7]")).await;
    stage.start(2);
    let (role, _stop) = stage.role.take().unwrap();
    let told = role.await.unwrap().unwrap_err().to_string();
    assert!(told.contains("its field unfilled is \"[7]\"") && told.contains("HDEL"), "{told}");
}
