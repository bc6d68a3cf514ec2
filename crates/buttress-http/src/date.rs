//! Dates of HTTP (RFC 9110 §5.6.7), in all three forms.

/// A date of HTTP, in seconds since 1970. Nothing is allocated, and whatever is none is none.
///
/// Years of two digits, as in RFC 850, are no more than 50 years after `near`, a year.
pub(crate) fn parse(text: &[u8], near: u64) -> Option<u64> {
    let text = text.trim_ascii();
    let comma = text.iter().position(|byte| *byte == b',');
    let Some(comma) = comma else {
        return asctime(text);
    };
    let (day_name, rest) = text.split_at_checked(comma)?;
    match (day_name.len(), rest) {
        (3, [b',', b' ', rest @ ..]) if is_day(day_name, 3) => fixdate(rest),
        (_, [b',', b' ', rest @ ..]) if is_day(day_name, 9) => rfc850(rest, near),
        _ => None,
    }
}

/// The year of a time.
pub(crate) fn year(seconds: u64) -> u64 {
    // Near enough: it is asked for the century.
    1970 + seconds / (86_400 * 36_525 / 100)
}

/// `06 Nov 1994 08:49:37 GMT`
fn fixdate(text: &[u8]) -> Option<u64> {
    let [
        d1,
        d2,
        b' ',
        m1,
        m2,
        m3,
        b' ',
        y1,
        y2,
        y3,
        y4,
        b' ',
        time @ ..,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = text
    else {
        return None;
    };
    let date = (
        number(&[*y1, *y2, *y3, *y4])?,
        month(&[*m1, *m2, *m3])?,
        number(&[*d1, *d2])?,
    );
    seconds(date, time)
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], near: u64) -> Option<u64> {
    let [
        d1,
        d2,
        b'-',
        m1,
        m2,
        m3,
        b'-',
        y1,
        y2,
        b' ',
        time @ ..,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = text
    else {
        return None;
    };
    let most = near.min(9_999) + 50;
    let back = (most + 100 - number(&[*y1, *y2])?) % 100;
    let date = (most - back, month(&[*m1, *m2, *m3])?, number(&[*d1, *d2])?);
    seconds(date, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<u64> {
    let [
        w1,
        w2,
        w3,
        b' ',
        m1,
        m2,
        m3,
        b' ',
        d1,
        d2,
        b' ',
        time @ ..,
        b' ',
        y1,
        y2,
        y3,
        y4,
    ] = text
    else {
        return None;
    };
    if !is_day(&[*w1, *w2, *w3], 3) {
        return None;
    }
    let d1 = if *d1 == b' ' { b'0' } else { *d1 };
    let date = (
        number(&[*y1, *y2, *y3, *y4])?,
        month(&[*m1, *m2, *m3])?,
        number(&[d1, *d2])?,
    );
    seconds(date, time)
}

/// Of a date and `08:49:37`.
fn seconds((year, month, day): (u64, u64, u64), time: &[u8]) -> Option<u64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let (hour, minute, second) = (
        number(&[*h1, *h2])?,
        number(&[*m1, *m2])?,
        number(&[*s1, *s2])?,
    );
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 || day < 1 || day > days_of(year, month) {
        return None;
    }
    let days = days_before(year, month)? + day - 1;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// From 1970 to the first of a month. By the count that begins years in March, so that the leap day is their last
/// (Hinnant, chrono-compatible low-level date algorithms).
fn days_before(year: u64, month: u64) -> Option<u64> {
    let year = if month > 2 {
        year
    } else {
        year.checked_sub(1)?
    };
    let months = (month + 9) % 12;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * months + 2) / 5;
    days.checked_sub(719_468)
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn month(name: &[u8; 3]) -> Option<u64> {
    let names = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let place = names.chunks_exact(3).position(|month| month == name)?;
    Some(place as u64 + 1)
}

/// Is it the name of a day, or how that begins? Which one is not looked at.
fn is_day(name: &[u8], most: usize) -> bool {
    const DAYS: [&[u8]; 7] = [
        b"Monday",
        b"Tuesday",
        b"Wednesday",
        b"Thursday",
        b"Friday",
        b"Saturday",
        b"Sunday",
    ];
    DAYS.iter()
        .any(|day| day.get(..most.min(day.len())) == Some(name))
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| sum * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_of_the_rfc_are_one_time() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse(text.as_bytes(), 1994), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_the_last_that_is_not_far_off() {
        for (near, digits, year) in [
            (2026, 94, 1994),
            (2026, 76, 2076),
            (2026, 77, 1977),
            (1994, 94, 1994),
            (1999, 0, 2000),
            (1970, 70, 1970),
        ] {
            let short = format!("Sunday, 01-Jan-{digits:02} 00:00:00 GMT");
            let long = format!("Sun, 01 Jan {year} 00:00:00 GMT");
            let parsed = parse(short.as_bytes(), near);
            assert_eq!(parsed, parse(long.as_bytes(), 0), "{near} {digits}");
            assert!(parsed.is_some());
        }
    }

    #[test]
    fn whatever_is_no_date_is_none() {
        for text in [
            "",
            ",",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 29 Feb 1900 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 01 Jan 0000 08:49:37 GMT",
            "Sund, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  0 08:49:37 1994",
            "Sun Nov 06 08:49 1994",
        ] {
            assert_eq!(parse(text.as_bytes(), 1994), None, "{text}");
        }
    }

    /// Counts days one by one.
    fn naive(year: u64, month: u64, day: u64) -> u64 {
        let years =
            (1970..year).map(|year| (1..=12).map(|month| days_of(year, month)).sum::<u64>());
        let months = (1..month).map(|month| days_of(year, month));
        years.sum::<u64>() + months.sum::<u64>() + day - 1
    }

    proptest! {
        #[test]
        fn days_are_those_that_are_counted_one_by_one(
            year in 1970_u64..2_600, month in 1_u64..=12, day in 1_u64..=31,
        ) {
            let name = &"JanFebMarAprMayJunJulAugSepOctNovDec"[month as usize * 3 - 3..][..3];
            let text = format!("Mon, {day:02} {name} {year} 01:02:03 GMT");
            let is = (day <= days_of(year, month)).then(|| naive(year, month, day) * 86_400 + 3_723);
            prop_assert_eq!(parse(text.as_bytes(), 0), is);
            if let Some(seconds) = is {
                prop_assert!(super::year(seconds).abs_diff(year) <= 1);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>, near: u64) {
            parse(&text, near);
        }

        #[test]
        fn no_near_date_makes_it_panic(
            text in "(Sun|Sunday|Mon)?,? ?[0-9]{0,3}[ -]?(Nov|Feb|Jan)?[ -]?[0-9]{0,5} [0-9:]{0,9} ?(GMT)?[0-9]{0,5}",
            near: u64,
        ) {
            parse(text.as_bytes(), near);
        }
    }
}
