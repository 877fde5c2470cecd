//! Suggestions for misspelled words.

use strsim::damerau_levenshtein;

/// The word of `known` that is most similar to `word`; `None` if more than one letter and more than a third of the letters differ.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    // A longer word is not a misspelling, and the time to compute the distance grows with the product of both lengths.
    let word: String = word.to_lowercase().chars().take(64).collect();
    let distances = known.into_iter().map(|known| (damerau_levenshtein(&word, &known.to_lowercase()), known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    // The shortest words are two letters long.
    (distance * 3 <= nearest.len().max(3)).then(|| nearest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelled_word_gets_a_suggestion_and_an_unrelated_word_none() {
        let known = ["objectName", "secretPath", "secretKey"];
        assert_eq!(nearest("objectname", known).as_deref(), Some("objectName"));
        assert_eq!(nearest("secertKey", known).as_deref(), Some("secretKey"));
        assert_eq!(nearest("refresh", known), None);
        assert_eq!(
            ["kvv", "s3", "ab"].map(|word| nearest(word, ["kv", "s5"])),
            [Some("kv".into()), Some("s5".into()), None]
        );
    }
}
