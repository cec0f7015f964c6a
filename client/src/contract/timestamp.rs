//! Times in the contract: RFC 3339, whole seconds, UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;

const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z: a year of four digits is all that RFC 3339 has.
const LAST: u64 = 253_402_300_799;

/// Why a text is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a time must be given as in RFC 3339, in UTC: 2026-01-31T12:00:00Z")]
pub struct TimestampError;

/// A second in UTC, from 1970 to 9999; RFC 3339 as text. Written here as it is all that the small
/// client would need a date library for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

impl Timestamp {
    /// Times after the year 9999 become its last second.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// By the clock of this machine; 1970 where it stands before that.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::from_unix_seconds(since.map_or(0, |since| since.as_secs()))
    }

    /// Whole seconds since 1970, UTC.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// Zero where `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0 / DAY);
        let second = self.0 % DAY;
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// A fraction of a second is accepted and cut.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let text = text.strip_suffix('Z').ok_or(TimestampError)?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if whole.len() != 19 || !digits(fraction) {
            return Err(TimestampError);
        }
        let (date, clock) = whole.split_once('T').ok_or(TimestampError)?;
        let [year, month, day] = three(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = three(clock, ':', [2, 2, 2])?;
        if year < 1970 || hour > 23 || minute > 59 || second > 59 {
            return Err(TimestampError);
        }
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(TimestampError);
        }
        let days = days_to(year, month, day);
        // The 31st of a shorter month names another day than it says.
        if date_of(days) != (year, month, day) {
            return Err(TimestampError);
        }
        Ok(Self(days * DAY + hour * 3600 + minute * 60 + second))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn three(text: &str, separator: char, widths: [usize; 3]) -> Result<[u64; 3], TimestampError> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().ok_or(TimestampError)?;
        if part.len() != width || !digits(part) {
            return Err(TimestampError);
        }
        *number = part.parse().map_err(|_| TimestampError)?;
    }
    parts.next().map_or(Ok(numbers), |_| Err(TimestampError))
}

/// Year, month and day of a day counted from 1970-01-01. Years begin in March here, so that the leap
/// day is their last and 153 days make five months.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days_to(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
