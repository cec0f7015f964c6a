//! What was measured, beside its goal and beside the least that it could be.

use std::fmt::Write as _;

/// What a figure should be.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// No goal: told because it helps to understand the others.
    None,
}

/// One figure.
pub(super) struct Row {
    what: String,
    goal: Goal,
    measured: f64,
    /// The same of the least that could do the job, measured in turns with it.
    floor: Option<f64>,
    digits: usize,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, measured: f64) -> Self {
        Self {
            what: what.into(),
            goal: Goal::None,
            measured,
            floor: None,
            digits: 0,
        }
    }

    pub(super) fn at_least(self, goal: f64) -> Self {
        Self {
            goal: Goal::AtLeast(goal),
            ..self
        }
    }

    pub(super) fn at_most(self, goal: f64) -> Self {
        Self {
            goal: Goal::AtMost(goal),
            ..self
        }
    }

    pub(super) fn over(self, floor: f64) -> Self {
        Self {
            floor: Some(floor),
            ..self
        }
    }

    /// Digits after the point.
    pub(super) fn digits(self, digits: usize) -> Self {
        Self { digits, ..self }
    }

    fn cells(&self) -> [String; 5] {
        let number = |value| number(value, self.digits);
        let (goal, met) = match self.goal {
            Goal::AtLeast(goal) => (format!("≥ {}", number(goal)), Some(self.measured >= goal)),
            Goal::AtMost(goal) => (format!("≤ {}", number(goal)), Some(self.measured <= goal)),
            Goal::None => (String::new(), None),
        };
        let met = met.map_or("", |met| if met { "yes" } else { "no" });
        let floor = self.floor.map(number).unwrap_or_default();
        [
            self.what.clone(),
            goal,
            number(self.measured),
            floor,
            met.to_owned(),
        ]
    }
}

/// The rows under a heading each, in columns.
pub(super) fn render(sections: &[(&str, Vec<Row>)]) -> String {
    let head = ["", "goal", "measured", "floor", "met"].map(str::to_owned);
    let all: Vec<(&str, Vec<[String; 5]>)> = sections
        .iter()
        .map(|(heading, rows)| (*heading, rows.iter().map(Row::cells).collect()))
        .collect();
    let lines = || std::iter::once(&head).chain(all.iter().flat_map(|(_, rows)| rows));
    let width = |at: usize| {
        let lengths = lines().filter_map(|cells| Some(cells.get(at)?.chars().count()));
        lengths.max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    line(&mut text, &head, widths);
    for (heading, rows) in &all {
        let _ = writeln!(text, "{heading}");
        for cells in rows {
            line(&mut text, cells, widths);
        }
    }
    text
}

fn line(text: &mut String, [what, goal, measured, floor, met]: &[String; 5], widths: [usize; 4]) {
    let [first, second, third, fourth] = widths;
    let line =
        format!("  {what:<first$}  {goal:>second$}  {measured:>third$}  {floor:>fourth$}  {met}");
    let _ = writeln!(text, "{}", line.trim_end());
}

/// With a comma between thousands.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if left % 3 == 0 && grouped.ends_with(|it: char| it.is_ascii_digit()) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0.0, 0),
            (999.0, 0),
            (1000.0, 0),
            (1_234_567.25, 1),
            (-12_345.0, 0),
        ];
        let read = cases.map(|(value, digits)| number(value, digits));
        assert_eq!(read, ["0", "999", "1,000", "1,234,567.2", "-12,345"]);
    }

    #[test]
    fn goals_stand_beside_what_was_measured() {
        let rows = vec![
            Row::new("fast", 21_000.0).at_least(20_000.0).over(56_000.0),
            Row::new("small", 16.5).at_most(16.0).digits(1),
            Row::new("told", 1.0),
        ];
        let text = render(&[("webhook", rows)]);
        let expected = [
            "             goal  measured   floor  met",
            "webhook",
            "  fast   ≥ 20,000    21,000  56,000  yes",
            "  small    ≤ 16.0      16.5          no",
            "  told                    1",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
