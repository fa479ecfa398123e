//! Parameter groups: other rates and decays for some parameters, chosen by their paths.

use serde::{Deserialize, Serialize};

/// What is different for the parameters whose path matches a pattern. Where several groups match, the last
/// one decides: general ones come first, exceptions after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// A glob on the whole path: `*` stands for any letters (dots too), `?` for one. `*.bias`, `encoder.*`.
    pub pattern: String,
    /// Multiplies the learning rate; default 1.
    #[serde(default = "unscaled")]
    pub lr_scale: f64,
    /// Replaces the optimizer's weight decay; default: the optimizer's.
    #[serde(default)]
    pub weight_decay: Option<f64>,
    /// Keeps the parameters as they are; default false.
    #[serde(default)]
    pub frozen: bool,
    /// The greatest length of a weight's rows; default: any. After each update a row w of a parameter with two or more axes
    /// (all that belongs to one place of axis 0: the weights into one unit, one kernel, one id's vector) that is
    /// longer becomes w·max_norm/(‖w‖ + 1e-7), as PyTorch's `renorm(2, 0, max_norm)`. After
    /// [Srebro, Rennie and Jaakkola 2005](https://papers.nips.cc/paper/2655-maximum-margin-matrix-factorization); 3 or 4
    /// go well with dropout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
}

fn unscaled() -> f64 {
    1.0
}

impl Group {
    /// A group that changes nothing yet.
    pub fn new(pattern: impl Into<String>) -> Group {
        Group {
            pattern: pattern.into(),
            lr_scale: 1.0,
            weight_decay: None,
            frozen: false,
            max_norm: None,
        }
    }

    /// Parameters whose rows are kept from growing longer than `max_norm`.
    pub fn max_norm(pattern: impl Into<String>, max_norm: f64) -> Group {
        Group { max_norm: Some(max_norm), ..Group::new(pattern) }
    }

    /// Parameters that training leaves as they are.
    pub fn frozen(pattern: impl Into<String>) -> Group {
        Group { frozen: true, ..Group::new(pattern) }
    }

    /// Whether the group is about the parameter `path`.
    pub fn matches(&self, path: &str) -> bool {
        glob(self.pattern.as_bytes(), path.as_bytes())
    }
}

/// Matches by walking both; on a mismatch the last `*` swallows one letter more. Linear for one star.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    (p, t) = (at + 1, swallowed + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_about_whole_paths() {
        let yes = [
            ("*.bias", "layers.0.bias"),
            ("*", ""),
            ("*", "a.b"),
            ("layers.?.weight", "layers.3.weight"),
            ("*a*a", "banana"),
            ("**bias", "bias"),
            ("head.*", "head.fc1.weight"),
        ];
        let no = [
            ("*.bias", "bias"),
            ("*.bias", "layers.0.bias2"),
            ("", "a"),
            ("layers.?.weight", "layers.10.weight"),
            ("*a*b", "banana"),
            ("head.*", "ahead.fc1"),
        ];
        for (pattern, path) in yes {
            assert!(Group::new(pattern).matches(path), "{pattern} {path}");
        }
        for (pattern, path) in no {
            assert!(!Group::new(pattern).matches(path), "{pattern} {path}");
        }
    }
}
