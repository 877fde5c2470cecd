//! Permission bits as people write them.

use std::fmt;

/// The largest mode of a file.
pub(crate) const LARGEST: u32 = 0o777;

/// A decimal number that is not the mode which its author meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModeMistake {
    /// The number.
    pub(crate) number: u32,
    /// The mode that has the same digits in octal; `None` if there is none.
    pub(crate) octal: Option<u32>,
}

/// The mistake in the mode `number`, which was written in decimal if `is_decimal`.
///
/// YAML reads `400` as a decimal number, the mode 0620. It counts as a mistake if its digits are a usual mode in octal and it is no usual mode in
/// decimal, or if only the decimal reading lets the group or all others write. `420`, `292` and `511` are the usual modes 0644, 0444 and 0777 in decimal.
pub(crate) fn mistake(number: u32, is_decimal: bool) -> Option<ModeMistake> {
    let octal = is_decimal
        .then(|| u32::from_str_radix(&number.to_string(), 8).ok().filter(|mode| *mode <= LARGEST))
        .flatten();
    let is_octal = octal.is_some_and(|octal| {
        !is_usual(number) || is_usual(octal) && number & 0o022 != 0 && octal & 0o022 == 0
    });
    let is_zero = number == 0;
    (!is_zero && (is_octal || number > LARGEST))
        .then_some(ModeMistake { number, octal: octal.filter(|_| is_octal) })
}

/// True if who may write or execute may also read, and if no class of users may more than the one before it.
fn is_usual(mode: u32) -> bool {
    let [owner, group, others] = [mode >> 6, mode >> 3 & 7, mode & 7];
    let reads = |bits: u32| bits == 0 || bits & 4 != 0;
    mode <= LARGEST
        && [owner, group, others].into_iter().all(reads)
        && group & !owner == 0
        && others & !group == 0
}

impl fmt::Display for ModeMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.octal {
            Some(octal) if number <= LARGEST => write!(
                f,
                "{number} is a decimal number, the mode 0{number:03o}: write 0{octal:03o} for the mode 0{octal:03o}"
            ),
            Some(octal) => write!(
                f,
                "{number} is a decimal number, in octal {number:#o}, and more than 0777: write 0{octal:03o} for the mode 0{octal:03o}"
            ),
            None => write!(f, "{number} (octal {number:#o}) is more than 0777: write a mode such as 0640"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_that_means_an_octal_mode_is_a_mistake() {
        for number in [400, 440, 444, 500, 550, 555, 600, 640, 644, 660, 664, 700, 750, 755, 777] {
            let octal = u32::from_str_radix(&number.to_string(), 8).ok();
            assert_eq!(mistake(number, true).map(|mistake| mistake.octal), Some(octal), "{number}");
        }
        let text = mistake(400, true).unwrap().to_string();
        assert!(text.contains("0620") && text.contains("0400"), "{text}");
    }

    #[test]
    fn a_usual_mode_in_decimal_and_every_octal_one_is_none() {
        for number in [0, 256, 288, 292, 384, 416, 420, 432, 436, 438, 448, 488, 493, 511] {
            assert_eq!(mistake(number, true), None, "{number}");
        }
        for mode in 0..=0o777 {
            assert_eq!(mistake(mode, false), None, "{mode:o}");
        }
        assert_eq!(mistake(0o1777, false), Some(ModeMistake { number: 0o1777, octal: None }));
    }
}
