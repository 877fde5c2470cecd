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
    NodePods { kubernetes, ..NodePods::new("node-1".into()) }
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

fn set_list(pods: &NodePods, list: Value) -> Option<String> {
    pods.set_list(serde_json::from_value(list).unwrap())
}

fn apply(pods: &NodePods, event: Value) -> Result<Option<String>, kube::Error> {
    pods.apply(serde_json::from_value(event).unwrap())
}

/// An API server that sends these responses one after the other (status, and one JSON value per line), then none; and the recorded calls.
fn server(answers: Vec<(u16, Vec<Value>)>) -> (Kubernetes, Arc<Mutex<Vec<String>>>) {
    let calls: Arc<Mutex<Vec<String>>> = Arc::default();
    let (recorded, answers) = (Arc::clone(&calls), Arc::new(Mutex::new(answers.into_iter())));
    let answer = service_fn(move |request: Request<Body>| {
        let accepted = request.headers()["accept"].to_str().unwrap();
        assert!(accepted.contains("as=PartialObjectMetadata"), "more than metadata is requested: {accepted}");
        recorded.lock().push(request.uri().to_string());
        let next = answers.lock().next();
        async move {
            let Some((status, lines)) = next else { return std::future::pending().await };
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Ok::<_, Infallible>(
                Response::builder().status(status).body(Body::from(text.into_bytes())).unwrap(),
            )
        }
    });
    (Kubernetes { client: OnceCell::new_with(Some(Client::new(answer, "default"))) }, calls)
}

/// The known pods once a server has sent all of `answers`, and the version of each call; `list` for a list.
async fn after(answers: Vec<(u16, Vec<Value>)>) -> (Option<Vec<String>>, Vec<String>) {
    let count = answers.len();
    let (kubernetes, calls) = server(answers);
    let pods = node(kubernetes);
    let all_called = async {
        while calls.lock().len() <= count {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = pods.follow() => unreachable!(),
        () = all_called => {}
    }
    let calls = calls.lock();
    let version = |call: &String| {
        assert!(call.starts_with("/api/v1/pods?&"), "{call}");
        assert!(call.contains("fieldSelector=spec.nodeName%3Dnode-1"), "{call}");
        match call.split_once("resourceVersion=") {
            Some((watch, version)) => {
                assert!(watch.contains("watch=true"), "a list of any version but the newest: {call}");
                version.to_owned()
            }
            None => "list".to_owned(),
        }
    };
    (known(&pods), calls.iter().map(version).collect())
}

#[test]
fn pods_are_those_of_the_list_changed_by_later_events() {
    let pods = node(Kubernetes::default());
    assert_eq!(set_list(&pods, list("7", &["a", "b"])).as_deref(), Some("7"));
    assert_eq!(apply(&pods, event("ADDED", "c", "8")).unwrap().as_deref(), Some("8"));
    assert_eq!(
        apply(&pods, event("MODIFIED", "a", "9")).unwrap().as_deref(),
        Some("9"),
        "it may be terminating"
    );
    assert_eq!(known(&pods), uids(&["a", "b", "c"]));
    apply(&pods, event("DELETED", "a", "10")).unwrap();
    let mark = json!({"type": "BOOKMARK", "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "12"}}});
    assert_eq!(apply(&pods, mark).unwrap().as_deref(), Some("12"));
    assert!(matches!(apply(&pods, too_old()), Err(kube::Error::Api(status)) if status.code == 410));
    assert_eq!(known(&pods), uids(&["b", "c"]));
}

#[test]
fn an_incomplete_list_is_ignored() {
    let pods = node(Kubernetes::default());
    apply(&pods, event("ADDED", "a", "8")).unwrap();
    assert_eq!(known(&pods), None, "one pod is not all");
    let mut cut = list("7", &["a"]);
    cut["metadata"]["continue"] = json!("more");
    for useless in [
        cut,
        list("7", &[]),
        json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [{"metadata": {"uid": "a"}}]}),
    ] {
        assert_eq!((set_list(&pods, useless), known(&pods)), (None, None));
    }
    set_list(&pods, list("7", &["a"])).unwrap();
    assert_eq!((set_list(&pods, list("8", &[])), known(&pods)), (None, uids(&["a"])), "what was known stays");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_regularly_continues_at_its_version() {
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
async fn after_a_gap_the_pods_come_from_a_new_list() {
    let before = [(200, vec![list("7", &["a", "b"])]), (200, vec![event("ADDED", "c", "8"), too_old()])];
    let (known, versions) =
        after(before.into_iter().chain([(200, vec![list("20", &["b", "d"])])]).collect()).await;
    assert_eq!(
        (known, versions),
        (uids(&["b", "d"]), ["list", "7", "list", "20"].map(String::from).to_vec())
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_unreachable_known_pods_stay() {
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
async fn a_dead_connection_is_replaced() {
    let (kubernetes, calls) = server(vec![(200, vec![list("7", &["a"])])]);
    let pods = node(kubernetes);
    let minutes = Duration::from_secs(11 * 60);
    assert!(timeout(minutes, pods.follow()).await.is_err());
    assert_eq!((calls.lock().len(), known(&pods)), (4, uids(&["a"])), "a list, a watch, and two lists since");
}

#[test]
fn pauses_double_to_half_a_minute() {
    let seconds =
        |random| [1, 2, 3, 5, 6, u32::MAX].map(|failures| BACKOFF.pause(failures, random).as_secs_f64());
    assert_eq!(seconds(1.0), [1.0, 2.0, 4.0, 16.0, 30.0, 30.0]);
    assert_eq!(seconds(0.0), [0.5, 1.0, 2.0, 8.0, 15.0, 15.0]);
}
