use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tower::service_fn;

use super::*;

fn node(kubernetes: Kubernetes) -> NodePods {
    NodePods { kubernetes, ..NodePods::of("node-1".into()) }
}

fn list(version: &str, uids: &[&str]) -> Value {
    let items: Vec<_> = uids.iter().map(|uid| json!({"metadata": {"name": "web", "uid": uid}})).collect();
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": version}, "items": items})
}

fn event(kind: &str, uid: &str, version: &str) -> Value {
    let types = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"});
    let metadata = json!({"name": "web", "uid": uid, "resourceVersion": version});
    json!({"type": kind, "object": {"apiVersion": types["apiVersion"], "kind": types["kind"], "metadata": metadata}})
}

fn too_old() -> Value {
    json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}})
}

fn known(pods: &NodePods) -> Option<Vec<String>> {
    pods.known().map(|uids| {
        let mut uids: Vec<_> = uids.into_iter().collect();
        uids.sort_unstable();
        uids
    })
}

fn uids(uids: &[&str]) -> Option<Vec<String>> {
    Some(uids.iter().map(|&uid| uid.into()).collect())
}

fn listed(pods: &NodePods, list: Value) -> Option<String> {
    pods.listed(serde_json::from_value(list).unwrap())
}

fn told(pods: &NodePods, event: Value) -> Result<Option<String>, kube::Error> {
    pods.told(serde_json::from_value(event).unwrap())
}

/// An API server that gives these answers in turn (status, and a value a line), then none; the questions that it was asked.
fn server(answers: Vec<(u16, Vec<Value>)>) -> (Kubernetes, Arc<Mutex<Vec<String>>>) {
    let questions: Arc<Mutex<Vec<String>>> = Arc::default();
    let (asked, answers) = (Arc::clone(&questions), Arc::new(Mutex::new(answers.into_iter())));
    let answer = service_fn(move |request: Request<Body>| {
        let accepted = request.headers()["accept"].to_str().unwrap();
        assert!(accepted.contains("as=PartialObjectMetadata"), "more than metadata is asked for: {accepted}");
        asked.lock().push(request.uri().to_string());
        let next = answers.lock().next();
        async move {
            let Some((status, lines)) = next else { return std::future::pending().await };
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Ok::<_, Infallible>(
                Response::builder().status(status).body(Body::from(text.into_bytes())).unwrap(),
            )
        }
    });
    (Kubernetes { client: OnceCell::new_with(Some(Client::new(answer, "default"))) }, questions)
}

/// What is known once a server has given all of `answers`, and the versions that it was asked for; `list` where it was a list.
async fn after(answers: Vec<(u16, Vec<Value>)>) -> (Option<Vec<String>>, Vec<String>) {
    let count = answers.len();
    let (kubernetes, questions) = server(answers);
    let pods = node(kubernetes);
    let all_asked = async {
        while questions.lock().len() <= count {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = pods.follow() => unreachable!(),
        () = all_asked => {}
    }
    let questions = questions.lock();
    let version = |question: &String| {
        assert!(question.starts_with("/api/v1/pods?&"), "{question}");
        assert!(question.contains("fieldSelector=spec.nodeName%3Dnode-1"), "{question}");
        match question.split_once("resourceVersion=") {
            Some((watch, version)) => {
                assert!(watch.contains("watch=true"), "a list of any version but the newest: {question}");
                version.to_owned()
            }
            None => "list".to_owned(),
        }
    };
    (known(&pods), questions.iter().map(version).collect())
}

#[test]
fn pods_are_those_of_the_list_and_of_what_was_told_since() {
    let pods = node(Kubernetes::default());
    assert_eq!(listed(&pods, list("7", &["a", "b"])).as_deref(), Some("7"));
    assert_eq!(told(&pods, event("ADDED", "c", "8")).unwrap().as_deref(), Some("8"));
    assert_eq!(
        told(&pods, event("MODIFIED", "a", "9")).unwrap().as_deref(),
        Some("9"),
        "its end has begun, perhaps"
    );
    assert_eq!(known(&pods), uids(&["a", "b", "c"]));
    told(&pods, event("DELETED", "a", "10")).unwrap();
    let mark = json!({"type": "BOOKMARK", "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "12"}}});
    assert_eq!(told(&pods, mark).unwrap().as_deref(), Some("12"));
    assert!(matches!(told(&pods, too_old()), Err(kube::Error::Api(status)) if status.code == 410));
    assert_eq!(known(&pods), uids(&["b", "c"]));
}

#[test]
fn a_list_that_cannot_be_whole_says_nothing() {
    let pods = node(Kubernetes::default());
    told(&pods, event("ADDED", "a", "8")).unwrap();
    assert_eq!(known(&pods), None, "one pod is not all");
    let mut cut = list("7", &["a"]);
    cut["metadata"]["continue"] = json!("more");
    for useless in [
        cut,
        list("7", &[]),
        json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [{"metadata": {"uid": "a"}}]}),
    ] {
        assert_eq!((listed(&pods, useless), known(&pods)), (None, None));
    }
    listed(&pods, list("7", &["a"])).unwrap();
    assert_eq!((listed(&pods, list("8", &[])), known(&pods)), (None, uids(&["a"])), "what was known stays");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_in_good_order_goes_on_where_it_was() {
    let first = (200, vec![list("7", &["a", "b"])]);
    let watches =
        [(200, vec![event("DELETED", "a", "8")]), (200, vec![]), (200, vec![event("ADDED", "c", "9")])];
    let (known, versions) = after([first].into_iter().chain(watches).collect()).await;
    assert_eq!(
        (known, versions),
        (uids(&["b", "c"]), ["list", "7", "8", "8", "9"].map(String::from).to_vec())
    );
}

#[tokio::test(start_paused = true)]
async fn what_happened_in_a_gap_is_seen_in_a_new_list() {
    let before = [(200, vec![list("7", &["a", "b"])]), (200, vec![event("ADDED", "c", "8"), too_old()])];
    let (known, versions) =
        after(before.into_iter().chain([(200, vec![list("20", &["b", "d"])])]).collect()).await;
    assert_eq!(
        (known, versions),
        (uids(&["b", "d"]), ["list", "7", "list", "20"].map(String::from).to_vec())
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_takes_nothing_back() {
    let down = || {
        (
            503,
            vec![json!({"kind": "Status", "status": "Failure", "reason": "ServiceUnavailable", "code": 503})],
        )
    };
    let denied =
        || (403, vec![json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403})]);
    let answers =
        [(200, vec![list("7", &["a", "b"])]), down(), down(), denied(), (200, vec![list("8", &[])])];
    let (known, versions) = after(answers.into()).await;
    assert_eq!(
        (known, versions),
        (uids(&["a", "b"]), ["list", "7", "list", "list", "list", "list"].map(String::from).to_vec())
    );
    assert_eq!(after(vec![down(), denied()]).await.0, None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_serves_is_given_up() {
    let (kubernetes, questions) = server(vec![(200, vec![list("7", &["a"])])]);
    let pods = node(kubernetes);
    let minutes = Duration::from_secs(11 * 60);
    assert!(timeout(minutes, pods.follow()).await.is_err());
    assert_eq!(
        (questions.lock().len(), known(&pods)),
        (4, uids(&["a"])),
        "a list, a watch, and two lists since"
    );
}

#[test]
fn pauses_double_to_half_a_minute() {
    let seconds =
        |random| [1, 2, 3, 5, 6, u32::MAX].map(|failures| BACKOFF.pause(failures, random).as_secs_f64());
    assert_eq!(seconds(1.0), [1.0, 2.0, 4.0, 16.0, 30.0, 30.0]);
    assert_eq!(seconds(0.0), [0.5, 1.0, 2.0, 8.0, 15.0, 15.0]);
}
