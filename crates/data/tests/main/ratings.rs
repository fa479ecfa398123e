//! Tables of ratings.

use thalweg_data::{
    Encoding, Kind, SourceOptions, Targets, open, open_as, open_features, open_with,
};

use crate::files::*;

const TABLE: &[u8] = b"student,lecturer,age,rating\n7,l1,2,5\n10,l2,3,1\n7,l2,4,3.5\n8,l1,1,\n";

#[test]
fn users_and_items() {
    let (_folder, path) = one("r.csv", TABLE);
    let options = SourceOptions { kind: Some(Kind::Ratings), ..Default::default() };
    let loaded = open_with(text(&path), &options).unwrap();
    // The age is a circumstance: it has few different cells.
    assert_eq!(loaded.train.features.shape(), [3]);
    assert_eq!(ids(&loaded.train.features), [2, 1, 1, 1, 2, 2, 2, 2, 3]);
    let wanted = Targets::Values { values: vec![5.0, 1.0, 3.5], dims: 1 };
    assert_eq!(loaded.train.targets, wanted);
    assert_eq!(loaded.notes, ["1 of 4 rows are left out: nothing in column 'rating'"]);
    assert_eq!(loaded.encoding.ids(), [3, 3, 4]);
    let Encoding::Ratings(ratings) = kept(&loaded) else { panic!("ratings were expected") };
    assert_eq!(ratings.users.tokens(), ["<unknown>", "10", "7"]);

    // Users and items that the test has alone are unknown.
    let options = SourceOptions { test: Some("student=10".parse().unwrap()), ..options };
    let loaded = open_with(text(&path), &options).unwrap();
    assert_eq!(ids(&loaded.test.unwrap().features), [0, 2, 0]);
}

#[test]
fn circumstances_are_named_or_none() {
    let (_folder, path) = one("r.csv", TABLE);
    let with = |context: &[&str]| SourceOptions {
        kind: Some(Kind::Ratings),
        context: Some(context.iter().map(|name| name.to_string()).collect()),
        ..Default::default()
    };
    let loaded = open_with(text(&path), &with(&[])).unwrap();
    assert_eq!(ids(&loaded.train.features), [2, 1, 1, 2, 2, 2]);
    let loaded = open_with(text(&path), &with(&["age"])).unwrap();
    let encoding = kept(&loaded);
    let (_folder, new) = one("new.csv", b"lecturer,age,student\nl2,2,7\n");
    let options = SourceOptions::default();
    assert_eq!(ids(&open_features(text(&new), &encoding, &options).unwrap()), [2, 2, 1]);
    assert_says(open_with(text(&path), &with(&["agee"])), &["no column 'agee'", "'age'?"]);
}

#[test]
fn columns_by_name() {
    let (_folder, path) = one("r.csv", b"rating,movieId,x,userId\n4,m,0,u\n2,n,0,v\n");
    let options = SourceOptions {
        user: Some("userId".into()),
        item: Some("movieId".into()),
        ..Default::default()
    };
    let loaded = open_with(text(&path), &options).unwrap();
    assert_eq!(ids(&loaded.train.features), [1, 1, 2, 2]);
    let encoding = kept(&loaded);
    let (_folder, new) = one("new.csv", b"movieId,userId\nn,u\nother,v\n");
    let options = SourceOptions::default();
    assert_eq!(ids(&open_features(text(&new), &encoding, &options).unwrap()), [1, 2, 2, 0]);
    assert_says(open_as(text(&new), &encoding, &[], &options), &["no column 'rating'"]);
    let (_folder, named) = one("r.csv", b"user,item,stars\na,b,1\n");
    assert_eq!(kept(&open(text(&named)).unwrap()).kind(), Kind::Ratings);
}

#[test]
fn what_is_no_rating() {
    let options = SourceOptions { kind: Some(Kind::Ratings), ..Default::default() };
    let (_folder, path) = one("r.csv", b"user,item,rating\na,b,good\n");
    assert_says(
        open_with(text(&path), &options),
        &["line 2, column 'rating'", "a number is needed, there is 'good'"],
    );
    let (_folder, path) = one("r.csv", b"user,rating\na,1\n");
    assert_says(open_with(text(&path), &options), &["need a column each"]);
    let (_folder, path) = one("r.csv", b"user,item,rating\na,b,\n");
    assert_says(open_with(text(&path), &options), &["no row has a rating"]);
}
