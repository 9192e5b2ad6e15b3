//! Numbers and times as they are written, and what is said of those that are none.

use super::*;

#[test]
fn numbers_lose_their_zeros_and_nothing_else() {
    let cases = [
        ("61837.63000000", "61837.63"),
        ("600", "600"),
        ("600.0", "600"),
        ("0.000000001", "0.000000001"),
        ("100.10", "100.1"),
        // Zeros at the end are no digits, however many.
        ("600.5000000000", "600.5"),
        ("12.0000000000000000000000000000", "12"),
        // As pandas and ccxt write small prices.
        ("6.21e-06", "0.00000621"),
        ("6.2100000E-06", "0.00000621"),
        ("1e-09", "0.000000001"),
        ("1E3", "1000"),
        ("1.5e+2", "150"),
        ("1.234567e4", "12345.67"),
        ("600e0", "600"),
    ];
    for (text, expected) in cases {
        assert_eq!(price(text).unwrap().to_string(), expected, "{text}");
        assert_eq!(size(text).unwrap().to_string(), expected, "{text}");
        assert_eq!(volume(text).unwrap().to_string(), expected, "{text}");
    }
    assert_eq!(size("0.00000000").unwrap().to_string(), "0");
}

#[test]
fn a_bad_number_is_told_as_written() {
    let cases = [
        ("", "\"\" is not a plain decimal; write it like 600 or 0.25"),
        (".0", "\".0\" is not a plain decimal; write it like 600 or 0.25"),
        ("600.", "\"600.\" is not a plain decimal; write it like 600 or 0.25"),
        ("1.2.0", "\"1.2.0\" is not a plain decimal; write it like 600 or 0.25"),
        ("1e", "\"1e\" is not a plain decimal; write it like 600 or 0.25"),
        ("1e3.5", "\"1e3.5\" is not a plain decimal; write it like 600 or 0.25"),
        ("1e61", "\"1e61\" is not a plain decimal; write it like 600 or 0.25"),
        ("1,600.50", "\"1,600.50\" has a comma; write it without, with a point before the fraction, like 1600.5"),
        ("NaN", "\"NaN\" is not a plain decimal; write it like 600 or 0.25"),
        ("0.00", "0.00 is out of range for a price: above 0 and below 10^12"),
        ("-5", "-5 is out of range for a price: above 0 and below 10^12"),
        ("1.0000000001", "\"1.0000000001\" has more than 9 digits after the point; round it to 9"),
    ];
    for (text, expected) in cases {
        assert_eq!(price(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(size("-0.5").unwrap_err().to_string(), "-0.5 is out of range for a quantity: 0 or more and below 10^15");
}

#[test]
fn a_price_that_rounding_would_change_is_not_to_be_rounded() {
    let round = |text: &str| format!("{text:?} has more than 9 digits after the point; round it to 9");
    let count = |text: &str, unit: &str, prefix: &str| {
        format!(
            "{text:?} is too small to be kept exactly in 9 digits after the point, and rounding would change its \
             worth; count the coin in {unit}: trade a symbol such as {prefix}X/USDT, with prices times {prefix} \
             and volumes and sizes divided by {prefix}"
        )
    };
    for (text, expected) in [
        ("600.1000000000001", round("600.1000000000001")),
        ("0.0005123456789", round("0.0005123456789")),
        ("0.0000000015", count("0.0000000015", "thousands", "1000")),
        ("1.5e-9", count("1.5e-9", "thousands", "1000")),
        ("0.0000000004", count("0.0000000004", "thousands", "1000")),
        ("0.00000000000012", count("0.00000000000012", "millions", "1000000")),
    ] {
        assert_eq!(price(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_size_loses_only_what_no_order_can_tell() {
    for (text, expected) in [
        ("0.2570000000000001", "0.257"),
        ("0.0000000019", "0.000000001"),
        ("9e-10", "0"),
        ("1234567890123456.5", "999999999999999.999999999"),
        ("1e18", "999999999999999.999999999"),
    ] {
        assert_eq!(size(text).unwrap().to_string(), expected, "{text}");
    }
    assert!(size("").is_err() && size("x").is_err() && size("1e-99").is_err());
}

#[test]
fn a_volume_has_any_size_and_any_digits() {
    for (text, expected) in [
        ("1234567890123456.00", "1234567890123456"),
        ("10.12345678901", "10.12345678901"),
        ("1.2e15", "1200000000000000"),
        ("12.0000000000", "12"),
    ] {
        assert_eq!(volume(text).unwrap().to_string(), expected, "{text}");
    }
    assert_eq!(volume("-3").unwrap_err().to_string(), "-3 is out of range for a volume: 0 or more and below 10^28");
}

#[test]
fn a_quoted_price_of_zero_is_none() {
    for none in ["0", "0.00000000", "00"] {
        assert_eq!(quoted_price(none), Ok(None), "{none}");
    }
    assert_eq!(quoted_price("0.5").unwrap().unwrap().to_string(), "0.5");
    assert!(quoted_price("").is_err() && quoted_price("0.").is_err() && quoted_price("-0").is_err());
}

#[test]
fn the_unit_of_a_time_is_told_by_its_size() {
    assert_eq!(millis("1700000000000").unwrap().millis(), 1_700_000_000_000);
    assert_eq!(millis_or_micros("1700000000000").unwrap().millis(), 1_700_000_000_000);
    assert_eq!(millis_or_micros("1735689659999999").unwrap().millis(), 1_735_689_659_999);
    assert_eq!(nanos("1723161254087896568").unwrap().millis(), 1_723_161_254_087);
    for bad in ["", "-1", "+1", "1.5", "1.5e3", "99999999999999999999"] {
        let expected = format!("{bad:?} is not a time in ms; write it like 1700000000000");
        assert_eq!(millis(bad).unwrap_err().to_string(), expected);
    }
    for (bad, unit, told) in [
        ("1700006400000000", "µs", "1700006400000"),
        ("1700006400000000000", "ns", "1700006400000"),
        ("1700006400.123", "seconds", "1700006400123"),
        ("1700006400.1234567", "seconds", "1700006400123"),
        ("1700006400.5", "seconds", "1700006400500"),
        ("1700006400000.0", "ms with a fraction", "1700006400000"),
        ("1.7E+12", "scientific notation, which loses digits", "1700000000000"),
        ("1.7e9", "scientific notation, which loses digits", "1700000000000"),
    ] {
        let expected = format!("{bad} is a time in {unit}; write ms: {told}, and so in each row");
        assert_eq!(millis(bad).unwrap_err().to_string(), expected);
        for read in [millis_or_micros, any_unit] {
            if let Err(error) = read(bad) {
                assert_eq!(error.to_string(), expected);
            }
        }
    }
    assert!(millis_or_micros("1723161254087896568").is_err() && any_unit("1723161254087896568").is_err());
    assert!(nanos("1700000000000000").is_err());
    for text in ["1700000000", "1700000000.0", "1700000000000", "1700000000000000"] {
        assert_eq!(any_unit(text).unwrap().millis(), 1_700_000_000_000, "{text}");
    }
    assert!(any_unit("2020-01-01").is_err() && any_unit("1700000000.5").is_err());
    assert_eq!(checked_millis(1_700_000_000_000_999).unwrap().millis(), 1_700_000_000_000);
    for counted in [0, 999_999_999, 100_000_000_000, 1_700_000_000_000] {
        assert_eq!(check_first_millis(Timestamp::from_millis(counted)), Ok(()));
    }
    assert_eq!(
        check_first_millis(Timestamp::from_millis(1_700_000_000)).unwrap_err().to_string(),
        "1700000000 is a time in seconds; write ms: 1700000000000, and so in each row"
    );
    assert_eq!(whole_millis_or_micros("1735689600000000").unwrap().millis(), 1_735_689_600_000);
    assert!(whole_millis_or_micros("1735689600000001").is_err());
}
