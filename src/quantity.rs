//! Formats numbers for people: one function for each kind of number, used by all messages and
//! tables.
//!
//! ```
//! use w2v_gpu::quantity::{bytes, plural};
//!
//! assert_eq!(plural(2_000, "word"), "2,000 words");
//! assert_eq!(bytes(24_000_000), "24.0 MB");
//! ```

use std::time::Duration;

/// A number with separated thousands: 1,234,567.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with a noun, which is given in the singular: 1 word, 2,000 words, 3 batches, 0 entries.
pub fn plural(number: u64, noun: &str) -> String {
    let is_sibilant = ["s", "x", "z", "tch", "sh"]
        .iter()
        .any(|end| noun.ends_with(end));
    let stem = noun
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    let number_of = count(number);
    match stem {
        _ if number == 1 => format!("{number_of} {noun}"),
        Some(stem) => format!("{number_of} {stem}ies"),
        None if is_sibilant => format!("{number_of} {noun}es"),
        None => format!("{number_of} {noun}s"),
    }
}

/// A size in powers of a thousand, with three digits: 999 bytes, 24.0 MB, 1.50 GB.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        ..1000 => plural(bytes, "byte"),
        _ => format!("{}B", short(bytes as f64)),
    }
}

/// Two sizes to compare, formatted by [`bytes`]; exact to the byte if they would look equal.
pub fn two_sizes(one: u64, other: u64) -> [String; 2] {
    let shown = [one, other].map(bytes);
    if one != other && shown[0] == shown[1] {
        [one, other].map(|size| plural(size, "byte"))
    } else {
        shown
    }
}

/// A large number with three digits: 950, 12.3 k, 1.20 M, 45.6 G. The caller appends a unit, as in
/// `1.20 M words/s`.
pub fn short(number: f64) -> String {
    let (mut number, mut prefix) = (number, "");
    for next in ["k", "M", "G", "T", "P", "E"] {
        // A number that rounds to 1000 is shown as 1 of the next unit.
        if number < 999.5 {
            break;
        }
        (number, prefix) = (number / 1000.0, next);
    }
    match prefix {
        "" => format!("{number:.0}"),
        _ if number < 9.995 => format!("{number:.2} {prefix}"),
        _ if number < 99.95 => format!("{number:.1} {prefix}"),
        _ => format!("{number:.0} {prefix}"),
    }
}

/// A time in one or two units: 374 ms, 12.5 s, 3 min 20 s, 2 h 5 min, 3 days 4 h.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (minutes, hours) = (
        (seconds / 60.0).round() as u64,
        (seconds / 3600.0).round() as u64,
    );
    let both = |large: String, small: u64, unit: &str| match small {
        0 => large,
        _ => format!("{large} {small} {unit}"),
    };
    match seconds {
        _ if time.is_zero() => "0 s".to_owned(),
        ..0.00995 => format!("{:.1} ms", seconds * 1e3),
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..99.95 => format!("{seconds:.1} s"),
        ..5999.5 => both(
            format!("{} min", seconds.round() as u64 / 60),
            seconds.round() as u64 % 60,
            "s",
        ),
        ..172_770.0 => both(format!("{} h", minutes / 60), minutes % 60, "min"),
        _ => both(plural(hours / 24, "day"), hours % 24, "h"),
    }
}

/// A time in seconds, formatted by [`duration`]. Times longer than a century are shown as a
/// century.
pub fn seconds(seconds: f64) -> String {
    duration(Duration::from_secs_f64(
        seconds.clamp(0.0, 100.0 * 365.25 * 86_400.0),
    ))
}

/// A share in hundredths, with one decimal below 10: 4.2%, 38%.
pub fn percent(share: f64) -> String {
    let hundredths = 100.0 * share;
    if hundredths > 0.0 && hundredths < 9.95 {
        format!("{hundredths:.1}%")
    } else {
        format!("{hundredths:.0}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 7, 999, 1000, 12_345, 1_234_567, u64::MAX].map(count);
        assert_eq!(
            shown,
            [
                "0",
                "7",
                "999",
                "1,000",
                "12,345",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
    }

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let cases = [
            (1, "word", "1 word"),
            (0, "word", "0 words"),
            (2000, "epoch", "2,000 epochs"),
            (3, "batch", "3 batches"),
            (2, "entry", "2 entries"),
            (2, "day", "2 days"),
            (2, "loss", "2 losses"),
        ];
        for (number, noun, shown) in cases {
            assert_eq!(plural(number, noun), shown);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let shown = [
            0,
            1,
            999,
            1000,
            24_006_700_000,
            999_499,
            999_500,
            4_700_000,
            u64::MAX,
        ]
        .map(bytes);
        let expected = [
            "0 bytes",
            "1 byte",
            "999 bytes",
            "1.00 kB",
            "24.0 GB",
            "999 kB",
            "1.00 MB",
            "4.70 MB",
            "18.4 EB",
        ];
        assert_eq!(shown, expected);
        assert_eq!(two_sizes(2_000_000, 1000), ["2.00 MB", "1.00 kB"]);
        assert_eq!(two_sizes(1001, 1000), ["1,001 bytes", "1,000 bytes"]);
    }

    #[test]
    fn speeds_have_three_digits() {
        let shown = [0.0, 12.4, 999.4, 999.6, 9_994.0, 9_996.0, 1.204e6, 45.6e9].map(short);
        assert_eq!(
            shown,
            [
                "0", "12", "999", "1.00 k", "9.99 k", "10.0 k", "1.20 M", "45.6 G"
            ]
        );
    }

    #[test]
    fn times_have_the_units_that_matter() {
        let cases = [
            (0.0, "0 s"),
            (0.0042, "4.2 ms"),
            (0.374, "374 ms"),
            (0.9996, "1.0 s"),
            (12.46, "12.5 s"),
            (99.96, "1 min 40 s"),
            (179.7, "3 min"),
            (200.0, "3 min 20 s"),
            (5999.6, "1 h 40 min"),
            (7500.0, "2 h 5 min"),
            (172_780.0, "2 days"),
            (273_600.0, "3 days 4 h"),
            (f64::INFINITY, "36525 days"),
        ];
        for (time, shown) in cases {
            assert_eq!(seconds(time).replace(',', ""), shown, "{time}");
        }
    }

    #[test]
    fn small_shares_have_a_decimal() {
        assert_eq!(
            [0.0, 0.004, 0.0994, 0.0996, 0.376, 1.0].map(percent),
            ["0%", "0.4%", "9.9%", "10%", "38%", "100%"]
        );
    }
}
