//! Reads pages of HTML.

/// Every tag that is opened is closed, in order.
pub(crate) fn assert_balanced(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = html.split_once("</style>").unwrap().1;
    for tag in body.split('<').skip(1).map(|rest| rest.split_once('>').unwrap().0) {
        if let Some(closed) = tag.strip_prefix('/') {
            if let Some(last) = open.pop() {
                assert_eq!(last, closed);
            } else {
                assert!(matches!(closed, "head" | "html"), "{closed} was not opened");
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The rows of the table in the section with a title: the text of each cell.
pub(crate) fn table(html: &str, title: &str) -> Vec<Vec<String>> {
    let Some((_, section)) = html.split_once(&format!("<h2>{title}</h2>")) else { return Vec::new() };
    let section = section.split("</section>").next().unwrap();
    let rows = section.split("<tr>").skip(1).filter(|row| row.contains("<td"));
    rows.map(|row| row.split("<td").skip(1).map(text).collect()).collect()
}

/// The text of a cell, without its tags.
fn text(cell: &str) -> String {
    let cell = cell.split_once('>').unwrap().1.split("</td>").next().unwrap();
    let pieces = cell.split('<').enumerate();
    pieces.map(|(n, piece)| if n == 0 { piece } else { piece.split_once('>').unwrap().1 }).collect()
}

/// The texts between the tags of a page.
pub(crate) fn texts(html: &str) -> Vec<&str> {
    let body = html.split_once("</style>").unwrap().1;
    body.split('<')
        .filter_map(|rest| Some(rest.split_once('>')?.1.trim()))
        .filter(|text| !text.is_empty())
        .collect()
}

/// Whether a text is a sentence or a part of one: names, days and digests are none.
pub(crate) fn is_prose(text: &str) -> bool {
    text.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).count() > 1
}
