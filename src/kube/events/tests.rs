use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::sync::OnceCell;
use tower::service_fn;

use super::*;

/// A call to the API server: method and path, and the body.
#[derive(Clone, Debug)]
struct ApiCall {
    line: String,
    body: Value,
}

type ApiCalls = Arc<Mutex<Vec<ApiCall>>>;

/// Events with an API server that responds to every call with `status`; created events are named `web.1`, `web.2` and so on; status 0 means no response.
fn events(status: impl Fn(&str) -> u16 + Send + Sync + 'static) -> (Arc<PodEvents>, ApiCalls) {
    let (calls, status) = (ApiCalls::default(), Arc::new(status));
    let recorded = Arc::clone(&calls);
    let respond = service_fn(move |request: Request<Body>| {
        let (recorded, status) = (Arc::clone(&recorded), Arc::clone(&status));
        async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            recorded
                .lock()
                .push(ApiCall { line: line.clone(), body: serde_json::from_slice(&body).unwrap() });
            let (status, number) = (status(&line), recorded.lock().len());
            if status == 0 {
                return std::future::pending().await;
            }
            Ok::<_, Infallible>(
                Response::builder()
                    .status(status)
                    .body(Body::from(response(status, number).to_string().into_bytes()))
                    .unwrap(),
            )
        }
    });
    let kubernetes = Kubernetes { client: OnceCell::new_with(Some(Client::new(respond, "default"))) };
    (Arc::new(PodEvents { kubernetes, ..PodEvents::new("node-1".into()) }), calls)
}

fn response(status: u16, number: usize) -> Value {
    match status {
        200 | 201 => {
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("web.{number}")}, "involvedObject": {}})
        }
        403 => json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403}),
        _ => json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": status}),
    }
}

fn running(events: &Arc<PodEvents>) -> tokio::task::JoinHandle<()> {
    let events = Arc::clone(events);
    tokio::spawn(async move { events.run().await })
}

fn pod() -> Pod {
    Pod {
        namespace: "team-a".into(),
        name: "web".into(),
        uid: "uid-of-web".into(),
        service_account: "web".into(),
    }
}

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// The calls, once there are `count` of them.
async fn once(calls: &ApiCalls, count: usize) -> Vec<ApiCall> {
    let reached = async {
        while calls.lock().len() < count {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(120), reached).await.unwrap_or_else(|_| panic!("{:?}", calls.lock()));
    calls.lock().clone()
}

#[tokio::test(start_paused = true)]
async fn an_event_on_the_pod_names_its_changed_files() {
    let (events, calls) = events(|_| 201);
    let _task = running(&events);
    events.add(&pod(), "secrets", files(&["tls.key", "tls.crt"]));
    let ApiCall { line, mut body } = once(&calls, 1).await.remove(0);
    assert_eq!(line, "POST /api/v1/namespaces/team-a/events");
    for time in ["firstTimestamp", "lastTimestamp"] {
        let at: Timestamp =
            body.as_object_mut().unwrap().remove(time).unwrap().as_str().unwrap().parse().unwrap();
        assert!(Timestamp::now().duration_since(at).as_secs().abs() < 60, "{at}");
    }
    assert_eq!(
        body,
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "web.", "namespace": "team-a"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "team-a", "name": "web", "uid": "uid-of-web"},
            "type": "Normal", "reason": "SecretsUpdated", "message": r#"new content in volume "secrets": tls.crt, tls.key"#,
            "source": {"component": "vaultmount", "host": "node-1"}, "reportingComponent": "vaultmount", "reportingInstance": "node-1",
            "count": 1,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_message_increments_the_count_of_its_event() {
    let (events, calls) = events(|_| 200);
    let _task = running(&events);
    for count in 1..=3 {
        events.add(&pod(), "secrets", files(&["password"]));
        once(&calls, count).await;
    }
    let calls = calls.lock();
    assert_eq!(calls[0].line, "POST /api/v1/namespaces/team-a/events");
    for (call, count) in calls[1..].iter().zip([2, 3]) {
        assert_eq!(call.line, "PATCH /api/v1/namespaces/team-a/events/web.1");
        assert_eq!((&call.body["count"], call.body.as_object().unwrap().len()), (&json!(count), 2));
        assert!(call.body["lastTimestamp"].as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_deleted_is_created_again() {
    let (events, calls) = events(|line| if line.starts_with("PATCH") { 404 } else { 201 });
    let _task = running(&events);
    for count in [1, 3] {
        events.add(&pod(), "secrets", files(&["password"]));
        once(&calls, count).await;
    }
    let calls = calls.lock();
    let methods: Vec<_> = calls.iter().map(|call| call.line.split(' ').next().unwrap()).collect();
    assert_eq!((methods, &calls[2].body["count"]), (vec!["POST", "PATCH", "POST"], &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_changes_every_second_has_an_event_every_ten_seconds() {
    let (events, calls) = events(|_| 200);
    let _task = running(&events);
    let start = Instant::now();
    for second in 0..60 {
        sleep_until(start + Duration::from_secs(second)).await;
        events.add(&pod(), "secrets", files(&[["a", "b", "c"][second as usize % 3]]));
    }
    sleep_until(start + Duration::from_secs(75)).await;
    let calls = calls.lock();
    let messages: Vec<_> = calls.iter().filter_map(|call| call.body["message"].as_str()).collect();
    assert_eq!(
        messages,
        [r#"new content in volume "secrets": a"#, r#"new content in volume "secrets": a, b, c"#]
    );
    assert_eq!((calls.len(), &calls[6].body["count"]), (7, &json!(6)));
}

#[tokio::test(start_paused = true)]
async fn events_on_many_pods_are_spread_over_time() {
    let (events, calls) = events(|_| 201);
    let _task = running(&events);
    let start = Instant::now();
    for number in 0..30 {
        events.add(&Pod { uid: number.to_string(), ..pod() }, "secrets", files(&["ca.crt"]));
    }
    once(&calls, 30).await;
    assert!(start.elapsed() >= 29 * PAUSE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_api_server_does_not_delay_the_caller() {
    let (events, calls) = events(|_| 0);
    let task = running(&events);
    let start = Instant::now();
    for uid in ["1", "2"] {
        events.add(&Pod { uid: uid.into(), ..pod() }, "secrets", files(&["password"]));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    once(&calls, 2).await;
    assert!(start.elapsed() < SEND_TIMEOUT + Duration::from_secs(1), "{:?}", start.elapsed());
    sleep(10 * SEND_TIMEOUT).await;
    assert_eq!(calls.lock().len(), 2, "each is tried once");
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_is_logged_once() {
    let (events, calls) = events(|_| 403);
    let _task = running(&events);
    for count in 1..=2 {
        events.add(&pod(), "secrets", files(&["password"]));
        once(&calls, count).await;
        sleep(PAUSE).await;
    }
    let logged = || events.logged.lock().len();
    assert_eq!(logged(), 1);
    events.log_failure(&KubeError::Timeout(String::new()));
    events.log_failure(&KubeError::Refused { call: String::new(), status: 429, reason: String::new() });
    events.log_failure(&KubeError::Refused { call: String::new(), status: 403, reason: String::new() });
    assert_eq!(logged(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_event_beyond_the_limit_is_dropped_and_counted() {
    let (events, calls) = events(|_| 201);
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for number in 0..300 {
            events.add(&Pod { uid: number.to_string(), ..pod() }, "secrets", files(&["password"]));
        }
    });
    let counted = recorder.handle().render();
    assert!(counted.contains(r#"vaultmount_pod_events_total{outcome="dropped"} 44"#), "{counted}");
    let _task = running(&events);
    once(&calls, 256).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(calls.lock().len(), 256);
}

#[tokio::test(start_paused = true)]
async fn a_volume_without_changed_files_has_no_event() {
    let (events, calls) = events(|_| 201);
    let _task = running(&events);
    events.add(&pod(), "secrets", Vec::new());
    sleep(Duration::from_secs(60)).await;
    assert!(calls.lock().is_empty());
}
