use super::*;

fn pod(name: &str) -> Pod {
    Pod {
        namespace: "team-a".into(),
        name: name.into(),
        uid: format!("uid-of-{name}"),
        service_account: "web".into(),
    }
}

/// Times in seconds after `start`.
fn seconds(start: Instant) -> impl Fn(u64) -> Instant {
    move |seconds| start + Duration::from_secs(seconds)
}

fn add(outbox: &mut Outbox, name: &str, file: &str, now: Instant) -> bool {
    outbox.add(&pod(name), "secrets", vec![file.into()], now)
}

fn news(outbox: &mut Outbox, now: Instant) -> NewContent {
    match outbox.next(now) {
        Next::Send(news) => news,
        Next::Wait(until) => panic!("nothing is sent before {until:?}"),
    }
}

fn waits(outbox: &mut Outbox, now: Instant) -> Option<Instant> {
    match outbox.next(now) {
        Next::Send(news) => panic!("{}", news.message),
        Next::Wait(until) => until,
    }
}

#[test]
fn changes_add_up_until_ten_seconds_have_passed() {
    let (at, mut outbox) = (seconds(Instant::now()), Outbox::default());
    assert_eq!(waits(&mut outbox, at(0)), None);
    add(&mut outbox, "web", "a", at(0));
    assert_eq!(news(&mut outbox, at(0)).message, r#"new content in volume "secrets": a"#);
    for (file, second) in [("b", 1), ("c", 2), ("b", 3)] {
        add(&mut outbox, "web", file, at(second));
        assert_eq!(waits(&mut outbox, at(second)), Some(at(10)));
    }
    assert_eq!(news(&mut outbox, at(10)).message, r#"new content in volume "secrets": b, c"#);
    assert_eq!(waits(&mut outbox, at(11)), None);
}

#[test]
fn a_recent_event_on_one_volume_does_not_delay_other_volumes() {
    let (at, mut outbox) = (seconds(Instant::now()), Outbox::default());
    for name in ["loud", "second", "first"] {
        add(&mut outbox, name, "a", at(if name == "second" { 1 } else { 0 }));
    }
    let pods: Vec<_> = (0..3).map(|_| news(&mut outbox, at(1)).pod.name).collect();
    assert_eq!(pods, ["first", "loud", "second"], "the longest wait first");
    add(&mut outbox, "loud", "a", at(2));
    assert!(outbox.add(&pod("loud"), "others", vec!["a".into()], at(3)));
    assert_eq!(news(&mut outbox, at(3)).message, r#"new content in volume "others": a"#);
    assert_eq!(waits(&mut outbox, at(3)), Some(at(11)));
}

#[test]
fn a_repeated_message_is_counted_up_for_ten_minutes() {
    let (at, mut outbox) = (seconds(Instant::now()), Outbox::default());
    let mut send = |file: &str, second: u64| {
        add(&mut outbox, "web", file, at(second));
        let news = news(&mut outbox, at(second));
        let before = news.previous.clone().map(|sent| sent.count);
        let count = before.unwrap_or_default() + 1;
        outbox.record_sent(news, Sent { name: "web.1".into(), count, until: at(second) + REPEATS });
        before
    };
    assert_eq!((send("a", 0), send("b", 10)), (None, None), "another message is another event");
    assert_eq!((send("a", 599), send("a", 1198)), (Some(1), Some(2)));
    assert_eq!((send("b", 1208), send("a", 1798)), (None, None), "ten minutes have passed");
}

#[test]
fn a_volume_beyond_the_limit_is_dropped() {
    let (now, mut outbox) = (Instant::now(), Outbox::default());
    assert!((0..WAITING).all(|number| add(&mut outbox, &format!("web-{number}"), "a", now)));
    assert!(!add(&mut outbox, "one-more", "a", now));
    assert!(add(&mut outbox, "web-7", "b", now), "a waiting volume accepts further changes");
    news(&mut outbox, now);
    assert!(add(&mut outbox, "one-more", "a", now));
}

#[test]
fn the_names_of_a_waiting_volume_are_bounded() {
    let (now, mut outbox) = (Instant::now(), Outbox::default());
    for round in 0..10 {
        let files = (0..100).map(|number| format!("{round}-{number}")).collect();
        assert!(outbox.add(&pod("web"), "secrets", files, now));
    }
    assert!(news(&mut outbox, now).message.ends_with(" and 248 more"));
}

#[test]
fn remembered_events_are_bounded() {
    let (now, mut outbox) = (Instant::now(), Outbox::default());
    for number in 0..REMEMBERED + 10 {
        add(&mut outbox, &format!("web-{number}"), "a", now);
        let news = news(&mut outbox, now);
        outbox.record_sent(news, Sent { name: "e".into(), count: 1, until: now + REPEATS });
    }
    assert_eq!((outbox.sent.len(), outbox.not_before.len()), (REMEMBERED, REMEMBERED + 10));
    assert_eq!(waits(&mut outbox, now + REPEATS), None);
    assert_eq!((outbox.sent.len(), outbox.not_before.len()), (0, 0));
}
