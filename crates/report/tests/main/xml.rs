//! As much of XML as it takes to see whether a drawing is well-formed.

/// Every `<svg>…</svg>` of a page.
pub fn drawings(page: &str) -> Vec<&str> {
    let starts = page.match_indices("<svg").map(|(start, _)| start);
    starts
        .map(|start| {
            let end = page[start..].find("</svg>").expect("an svg element ends");
            &page[start..start + end + "</svg>".len()]
        })
        .collect()
}

/// Every element is closed in turn, every attribute quoted and given once, every `&` begins an entity.
pub fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        entities(&rest[..start])?;
        let end = rest[start..].find('>').ok_or("a tag does not end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(last) if last == name => {}
                other => return Err(format!("</{name}> closes {other:?}")),
            }
            continue;
        }
        let (inner, alone) = match tag.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (tag, false),
        };
        let name = inner.split_whitespace().next().ok_or("a tag without a name")?;
        attributes(inner[name.len()..].trim())?;
        if !alone {
            open.push(name);
        }
    }
    entities(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
}

fn attributes(mut text: &str) -> Result<(), String> {
    let mut seen = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").ok_or(format!("no attribute: {text}"))?;
        let (value, rest) = rest.split_once('"').ok_or(format!("{name} does not end"))?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) || seen.contains(&name) {
            return Err(format!("no name of an attribute, or twice: {name:?}"));
        }
        entities(value)?;
        seen.push(name);
        text = rest.trim_start();
    }
    Ok(())
}

fn entities(text: &str) -> Result<(), String> {
    let known = |rest: &str| {
        let end = rest.find(';')?;
        let name = &rest[..end];
        let number = name.starts_with('#') && end > 1;
        (number || ["lt", "gt", "amp", "quot", "apos"].contains(&name)).then_some(())
    };
    match text.split('&').skip(1).find(|rest| known(rest).is_none()) {
        Some(rest) => Err(format!("a bare & before {rest:.20}")),
        None => Ok(()),
    }
}

#[test]
fn the_check_itself_sees_what_is_wrong() {
    assert_eq!(check("<svg a=\"1\"><g/><text>x &lt; y</text></svg>"), Ok(()));
    for wrong in
        ["<svg><g></svg></g>", "<svg>", "<svg a=1/>", "<svg a=\"1\" a=\"2\"/>", "<a>&b</a>"]
    {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
