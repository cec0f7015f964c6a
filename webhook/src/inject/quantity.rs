//! Amounts as Kubernetes writes them: `100m`, `0.5`, `16Mi`.

/// All that is none: of thousands, and of 1024s.
const SUFFIXES: [&str; 16] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
];

/// Does the API server take it (k8s.io/apimachinery, pkg/api/resource, ParseQuantity)? Without a sign: a container uses
/// no less than nothing.
pub(super) fn is_quantity(text: &str) -> bool {
    let end = text.find(|sign: char| !sign.is_ascii_digit() && sign != '.');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let is_number = number.len() > number.matches('.').count() && number.matches('.').count() < 2;
    is_number && (SUFFIXES.contains(&suffix) || is_exponent(suffix))
}

/// The same, and no thousandths: of memory there are whole bytes, and `16m` means `16Mi`.
pub(super) fn is_whole(text: &str) -> bool {
    is_quantity(text) && !text.ends_with(['n', 'u', 'm'])
}

fn is_exponent(suffix: &str) -> bool {
    let exponent = suffix.strip_prefix(['e', 'E']);
    exponent.is_some_and(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_takes_is_told_from_what_it_does_not() {
        for taken in [
            "0", "1", "0.5", ".5", "5.", "100m", "16Mi", "1E", "1e3", "1E-3", "2k",
        ] {
            assert!(is_quantity(taken), "{taken}");
        }
        for refused in [
            "", ".", "m", "1.2.3", "16MB", "16mi", "16 Mi", "1K", "-1", "+1", "1e", "1e+", "1e100",
            "one", "1Mi ", "１",
        ] {
            assert!(!is_quantity(refused), "{refused}");
        }
        assert!(is_whole("16Mi") && is_whole("1e6") && !is_whole("16m") && !is_whole("16MB"));
    }
}
