//! Tests of the multipart reader: whole bodies in, parts, cuts and complaints out.

use super::*;

fn delimiter() -> Delimiter {
    Delimiter::new(b"b").unwrap()
}

/// Name, filename, type and content of every part.
type Seen = (String, Option<String>, Option<String>, Vec<u8>);

fn read(body: &[u8]) -> Result<Vec<Seen>, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = |part: Part<'_>| {
        let (name, content) = (text(part.name), part.content.to_vec());
        (
            name,
            part.filename.map(text),
            part.content_type.map(text),
            content,
        )
    };
    let delimiter = delimiter();
    let parts: Result<Vec<_>, _> = delimiter.parts(body).collect();
    match parts {
        Ok(parts) => Ok(parts.into_iter().map(seen).collect()),
        Err(malformed) => Err(malformed.to_string()),
    }
}

fn plain(name: &str, content: &[u8]) -> Seen {
    (name.to_owned(), None, None, content.to_vec())
}

/// A part's delimiter line, head and blank line.
const A: &str = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";

#[test]
fn the_boundary_comes_from_the_content_type() {
    let rows: &[(&str, Result<&str, &str>)] = &[
        ("multipart/form-data; boundary=b", Ok("b")),
        ("multipart/form-data; BOUNDARY=\"b c\"", Ok("b c")),
        (
            "multipart/form-data; charset=utf-8; boundary=--x'()+_,-./:=?;",
            Ok("--x'()+_,-./:=?"),
        ),
        (
            "multipart/form-data",
            Err("multipart: the Content-Type has no boundary"),
        ),
        (
            "multipart/form-data; boundary=",
            Err("multipart: the Content-Type is malformed"),
        ),
        (
            "multipart/form-data; boundary=\"\"",
            Err("multipart: the boundary is malformed"),
        ),
        (
            "multipart/form-data; boundary=\"b ",
            Err("multipart: the Content-Type is malformed"),
        ),
        (
            "multipart/form-data; boundary=\"b \"",
            Err("multipart: the boundary is malformed"),
        ),
        (
            "multipart/form-data; boundary=a{b",
            Err("multipart: the boundary is malformed"),
        ),
        (
            "multipart/form-data; boundary=a; boundary=b",
            Err("multipart: the Content-Type has two boundaries"),
        ),
    ];
    for (content_type, want) in rows {
        let got = Delimiter::of(content_type).map_err(|malformed| malformed.to_string());
        let got = got.map(|it| String::from_utf8(it.bytes().to_vec()).unwrap());
        let want = want
            .map(|boundary| format!("\r\n--{boundary}"))
            .map_err(str::to_owned);
        assert_eq!(got, want, "{content_type}");
    }
    let delimiter_of = |length| Delimiter::new("x".repeat(length).as_bytes());
    assert_eq!(delimiter_of(70).unwrap().bytes().len(), 74);
    assert_eq!(delimiter_of(71), None);
}

#[test]
fn parts_are_read_with_names_files_and_types() {
    let body = [
        A,
        "1\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x;\\\"y\\\".bin\"\r\n\
         Content-Type: application/octet-stream\r\nX-Other: 1\r\n\r\n",
    ]
    .concat();
    let mut body = body.into_bytes();
    body.extend_from_slice(b"\0\xff\r\n--B\r\n--\r\n\r\n");
    body.extend_from_slice(b"\r\n--b \t\r\ncontent-disposition:FORM-DATA;name=c\r\n\r\n\r\n--b--");
    let file = (
        "f".to_owned(),
        Some("x;\\\"y\\\".bin".to_owned()),
        Some("application/octet-stream".to_owned()),
        b"\0\xff\r\n--B\r\n--\r\n\r\n".to_vec(),
    );
    assert_eq!(
        read(&body),
        Ok(vec![plain("a", b"1"), file, plain("c", b"")])
    );
}

#[test]
fn what_surrounds_the_parts_is_tolerated() {
    let rows: &[(&str, usize)] = &[
        ("", 0),
        ("--b--", 0),
        ("--b--\r\n", 0),
        ("\r\n--b--\r\n", 0),
        ("--b-- \t\r\n", 0),
        ("preamble --b\r\n--b--", 0),
        (
            "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--",
            1,
        ),
        (
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\nend\r\n--b\r\n",
            1,
        ),
    ];
    for (body, want) in rows {
        assert_eq!(
            read(body.as_bytes()).map(|parts| parts.len()),
            Ok(*want),
            "{body:?}"
        );
    }
}

/// Bodies, and what is wrong with them; `@` stands for a Content-Disposition line.
const MALFORMED: &[(&str, &str)] = &[
    ("a=1", ": the boundary is not in the body"),
    ("--c\r\n", ": the boundary is not in the body"),
    ("x--b--", ": the boundary is not in the body"),
    ("--b", ": a line begins with the boundary and goes on"),
    ("--bb--", ": a line begins with the boundary and goes on"),
    ("--b--x", ": a line begins with the boundary and goes on"),
    ("--b\nx", ": a line begins with the boundary and goes on"),
    ("--b\r\n", ", part 1: its head does not end"),
    ("--b\r\n@", ", part 1: its head does not end"),
    ("--b\r\n@\r\n", ", part 1: the closing boundary is missing"),
    (
        "--b\r\n@\r\n1\r\n--b",
        ", part 1: a line begins with the boundary and goes on",
    ),
    (
        "--b\r\n@\r\n1\n--b--",
        ", part 1: the closing boundary is missing",
    ),
    (
        "--b\r\n@\r\n--b--",
        ", part 1: the boundary follows its head at once",
    ),
    (
        "--b\r\n@\r\n1\r\n--b\r\n--b--\r\n\r\n",
        ", part 2: its head does not end",
    ),
    (
        "--b\r\nx\r\n@\r\n",
        ", part 1: a line of its head has no colon",
    ),
    (
        "--b\r\n: x\r\n@\r\n",
        ", part 1: a line of its head has no field name",
    ),
    (
        "--b\r\n@ x: y\r\n\r\n",
        ", part 1: a line of its head has no field name",
    ),
    (
        "--b\r\nx: \n@\r\n",
        ", part 1: its head has a bare CR, LF or NUL",
    ),
    (
        "--b\r\nx: \r@\r\n",
        ", part 1: its head has a bare CR, LF or NUL",
    ),
    (
        "--b\r\nx: \0\r\n@\r\n",
        ", part 1: its head has a bare CR, LF or NUL",
    ),
    ("--b\r\n@@\r\n", ", part 1: its head has a field twice"),
    (
        "--b\r\n\r\n1\r\n--b--",
        ", part 1: it has no Content-Disposition",
    ),
    (
        "--b\r\nx: y\r\n\r\n1",
        ", part 1: it has no Content-Disposition",
    ),
];

/// Values of a Content-Disposition, and what is wrong with them.
const BAD_DISPOSITIONS: &[(&str, &str)] = &[
    ("attachment; name=a", "is not form-data"),
    ("", "is not form-data"),
    ("form-data", "has no name"),
    ("form-data; filename=a", "has no name"),
    ("form-data; name=\"a", "is malformed"),
    ("form-data; name", "is malformed"),
    ("form-data; name=a; NAME=b", "has a parameter twice"),
    (
        "form-data; name=a; filename=b; filename=c",
        "has a parameter twice",
    ),
];

#[test]
fn malformed_bodies_say_what_is_wrong() {
    for (body, want) in MALFORMED {
        let body = body.replace('@', "Content-Disposition: form-data; name=\"a\"\r\n");
        assert_eq!(
            read(body.as_bytes()),
            Err(format!("multipart{want}")),
            "{body:?}"
        );
    }
    for (value, want) in BAD_DISPOSITIONS {
        let body = format!("--b\r\nContent-Disposition: {value}\r\n\r\n1\r\n--b--");
        let want = format!("multipart, part 1: its Content-Disposition {want}");
        assert_eq!(read(body.as_bytes()), Err(want), "{value:?}");
    }
    let both = "form-data; name=a; filename*=UTF-8''b; filename=c";
    let body = format!("--b\r\nContent-Disposition: {both}\r\n\r\n1\r\n--b--");
    assert_eq!(read(body.as_bytes()).unwrap()[0].1.as_deref(), Some("c"));
}

#[test]
fn both_bounds_hold_exactly() {
    let part = format!("{A}\r\n");
    let many = |count: usize| format!("{}--b--", part.repeat(count));
    assert_eq!(read(many(PARTS_MAX).as_bytes()).unwrap().len(), PARTS_MAX);
    let error = read(many(PARTS_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(error, "multipart, part 1001: more than 1,000 parts");

    let head = "Content-Disposition: form-data; name=a\r\nx: ";
    let long = |bytes: usize| {
        let filler = "y".repeat(bytes - head.len() - 2);
        format!("--b\r\n{head}{filler}\r\n\r\n1\r\n--b--")
    };
    assert!(read(long(PART_HEAD_BYTES_MAX).as_bytes()).is_ok());
    assert!(read(long(PART_HEAD_BYTES_MAX + 2).as_bytes()).is_ok());
    let error = read(long(PART_HEAD_BYTES_MAX + 3).as_bytes()).unwrap_err();
    assert_eq!(error, "multipart, part 1: its head is over 8 KiB");
}

#[test]
fn ranges_cut_exactly_one_part() {
    let one = format!("{A}1\r\n");
    let two = "--b\t\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\0\r\n\r\n".to_owned();
    let body = format!("pre\r\n{one}{two}{one}--b--\r\nepilogue");
    let delimiter = delimiter();
    let mut parts = delimiter.parts(body.as_bytes());
    let ranges: Vec<_> = parts.by_ref().map(|part| part.unwrap().range).collect();
    let whole: Vec<_> = ranges.iter().map(|range| &body[range.clone()]).collect();
    assert_eq!(whole, [&one, &two, &one]);
    assert_eq!(&body[parts.close()..], "--b--\r\nepilogue");
}

#[test]
fn written_fields_read_back() {
    let mut body = Vec::new();
    assert!(delimiter().write_field(b"a", b"1 & 2", &mut body));
    assert!(delimiter().write_field("é\"\r\n".as_bytes(), b"", &mut body));
    delimiter().write_end(&mut body);
    let want = vec![plain("a", b"1 & 2"), plain("é%22%0D%0A", b"")];
    assert_eq!(read(&body), Ok(want));
}

#[test]
fn what_could_be_read_in_two_ways_is_not_written() {
    for name in ["\\", "a\\", "a\\\"b", "a\0"] {
        let mut body = Vec::new();
        assert!(
            !delimiter().write_field(name.as_bytes(), b"1", &mut body),
            "{name:?}"
        );
        assert!(body.is_empty());
    }
    for value in ["--b", "--b--", "x\r\n--b", "x\r\n--bc"] {
        let mut body = Vec::new();
        assert!(
            !delimiter().write_field(b"a", value.as_bytes(), &mut body),
            "{value:?}"
        );
        assert!(body.is_empty());
    }
    let mut body = Vec::new();
    assert!(delimiter().write_field(b"a", b"x--b\n--b", &mut body));
    delimiter().write_end(&mut body);
    assert_eq!(read(&body), Ok(vec![plain("a", b"x--b\n--b")]));
}
