//! Patterns of names: text, `*` for anything, and `{field}` for something that has a name.

use crate::error::DataError;

/// A pattern such as `{label}_{speaker}_*.wav`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Any text, none included.
    Any,
    /// Any text of at least one character.
    Field(String),
}

impl Pattern {
    /// A pattern with fields, for the option `name`.
    pub(crate) fn parse(name: &'static str, text: &str) -> Result<Pattern, DataError> {
        let fail = |problem: String| {
            DataError::option(
                name,
                format!("'{text}': {problem}"),
                "write a name in braces for each part, with text between them, such as \
                {label}_{speaker}_{take}.wav; * stands for anything",
            )
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let part = match first {
                '*' => {
                    rest = &rest[1..];
                    Part::Any
                }
                '{' => {
                    let closed = rest.split_once('}');
                    let (field, after) = closed.ok_or_else(|| fail("a brace is open".into()))?;
                    let field = field[1..].trim();
                    if field.is_empty() || field.contains('{') {
                        return Err(fail("a brace holds no name".into()));
                    }
                    rest = after;
                    Part::Field(field.into())
                }
                _ => {
                    let end = rest.find(['*', '{']).unwrap_or(rest.len());
                    let (literal, after) = rest.split_at(end);
                    rest = after;
                    Part::Text(literal.into())
                }
            };
            if !matches!(part, Part::Text(_))
                && parts.last().is_some_and(|last| !matches!(last, Part::Text(_)))
            {
                return Err(fail("nothing is between two of its parts".into()));
            }
            if let Part::Field(field) = &part
                && parts.contains(&part)
            {
                return Err(fail(format!("it has '{field}' twice")));
            }
            parts.push(part);
        }
        Ok(Pattern { parts })
    }

    /// The names of its fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The values of its fields in a text that it matches, each as short as can be but the last.
    pub(crate) fn matches<'p, 't>(&'p self, text: &'t str) -> Option<Vec<(&'p str, &'t str)>> {
        let mut found = Vec::new();
        // Where the text that is not yet matched begins, and the part that is to take some of it.
        let mut at = 0;
        let mut open: Option<&Part> = None;
        for (i, part) in self.parts.iter().enumerate() {
            let Part::Text(literal) = part else {
                open = Some(part);
                continue;
            };
            let least = at + least(open, &text[at..])?;
            let last = i + 1 == self.parts.len();
            let place = match open {
                None => text[at..].starts_with(literal).then_some(at),
                Some(_) if last => text.strip_suffix(literal.as_str()).map(str::len),
                Some(_) => text[least..].find(literal.as_str()).map(|place| least + place),
            };
            let place = place.filter(|&place| place >= least)?;
            if let Some(Part::Field(name)) = open.take() {
                found.push((name.as_str(), &text[at..place]));
            }
            at = place + literal.len();
        }
        match open {
            None if at < text.len() => return None,
            Some(Part::Field(name)) => {
                least(open, &text[at..])?;
                found.push((name.as_str(), &text[at..]));
            }
            _ => {}
        }
        Some(found)
    }
}

/// The bytes that an open part takes at least, where there are as many.
fn least(open: Option<&Part>, text: &str) -> Option<usize> {
    match open {
        Some(Part::Field(_)) => text.chars().next().map(char::len_utf8),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
        let pattern = Pattern::parse("label_pattern", pattern).unwrap();
        Some(pattern.matches(text)?.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn fields_are_found() {
        let pattern = "{label}_{speaker}_{take}.wav";
        assert_eq!(matched(pattern, "7_jackson_32.wav"), Some(vec!["7", "jackson", "32"]));
        assert_eq!(matched(pattern, "é_ö_ü.wav"), Some(vec!["é", "ö", "ü"]));
        assert_eq!(matched(pattern, "a_b_c_d.wav"), Some(vec!["a", "b", "c_d"]));
        for other in ["7_jackson.wav", "7__1.wav", "_a_1.wav", "7_a_1.mp3", "7_a_.wav", "", ".wav"]
        {
            assert_eq!(matched(pattern, other), None, "{other}");
        }
        assert_eq!(matched("{label}.*", "a.b.c"), Some(vec!["a"]));
        assert_eq!(matched("*-{label}", "a-b-c"), Some(vec!["b-c"]));
        assert_eq!(matched("{label}", "cat"), Some(vec!["cat"]));
    }

    #[test]
    fn stars_match_anything() {
        for (pattern, text, yes) in [
            ("*.txt", "a.txt", true),
            ("*.txt", ".txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("*", "", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("", "", true),
        ] {
            assert_eq!(matched(pattern, text).is_some(), yes, "{pattern} {text}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for (pattern, said) in [
            ("{label", "a brace is open"),
            ("{}.wav", "holds no name"),
            ("{label}{take}.wav", "nothing is between"),
            ("{label}*.wav", "nothing is between"),
            ("{a}_{a}", "'a' twice"),
        ] {
            let error = Pattern::parse("label_pattern", pattern).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("label_pattern"), "{error}");
        }
    }
}
