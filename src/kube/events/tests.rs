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

/// A question to the API server: method, path and body.
#[derive(Clone, Debug)]
struct Question {
    line: String,
    body: Value,
}

type Questions = Arc<Mutex<Vec<Question>>>;

/// Tells by an API server that answers every question by `status`, events made named `web.1`, `web.2` and so on; 0 is no answer at all.
fn events(status: impl Fn(&str) -> u16 + Send + Sync + 'static) -> (Arc<PodEvents>, Questions) {
    let (questions, status) = (Questions::default(), Arc::new(status));
    let asked = Arc::clone(&questions);
    let answer = service_fn(move |request: Request<Body>| {
        let (asked, status) = (Arc::clone(&asked), Arc::clone(&status));
        async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            asked.lock().push(Question { line: line.clone(), body: serde_json::from_slice(&body).unwrap() });
            let (status, number) = (status(&line), asked.lock().len());
            if status == 0 {
                return std::future::pending().await;
            }
            Ok::<_, Infallible>(
                Response::builder()
                    .status(status)
                    .body(Body::from(answered(status, number).to_string().into_bytes()))
                    .unwrap(),
            )
        }
    });
    let kubernetes = Kubernetes { client: OnceCell::new_with(Some(Client::new(answer, "default"))) };
    (Arc::new(PodEvents { kubernetes, ..PodEvents::new("node-1".into()) }), questions)
}

fn answered(status: u16, number: usize) -> Value {
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

/// The questions once there are `count` of them.
async fn once(questions: &Questions, count: usize) -> Vec<Question> {
    let reached = async {
        while questions.lock().len() < count {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(120), reached).await.unwrap_or_else(|_| panic!("{:?}", questions.lock()));
    questions.lock().clone()
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_told_of_its_files_by_name() {
    let (events, questions) = events(|_| 201);
    let _task = running(&events);
    events.tell(&pod(), "secrets", files(&["tls.key", "tls.crt"]));
    let Question { line, mut body } = once(&questions, 1).await.remove(0);
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
async fn the_same_news_count_up_one_event() {
    let (events, questions) = events(|_| 200);
    let _task = running(&events);
    for told in 1..=3 {
        events.tell(&pod(), "secrets", files(&["password"]));
        once(&questions, told).await;
    }
    let questions = questions.lock();
    assert_eq!(questions[0].line, "POST /api/v1/namespaces/team-a/events");
    for (question, count) in questions[1..].iter().zip([2, 3]) {
        assert_eq!(question.line, "PATCH /api/v1/namespaces/team-a/events/web.1");
        assert_eq!((&question.body["count"], question.body.as_object().unwrap().len()), (&json!(count), 2));
        assert!(
            question.body["lastTimestamp"].as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_gone_is_made_anew() {
    let (events, questions) = events(|line| if line.starts_with("PATCH") { 404 } else { 201 });
    let _task = running(&events);
    for told in [1, 3] {
        events.tell(&pod(), "secrets", files(&["password"]));
        once(&questions, told).await;
    }
    let questions = questions.lock();
    let methods: Vec<_> = questions.iter().map(|question| question.line.split(' ').next().unwrap()).collect();
    assert_eq!((methods, &questions[2].body["count"]), (vec!["POST", "PATCH", "POST"], &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_changes_every_second_is_told_of_every_ten() {
    let (events, questions) = events(|_| 200);
    let _task = running(&events);
    let start = Instant::now();
    for second in 0..60 {
        sleep_until(start + Duration::from_secs(second)).await;
        events.tell(&pod(), "secrets", files(&[["a", "b", "c"][second as usize % 3]]));
    }
    sleep_until(start + Duration::from_secs(75)).await;
    let questions = questions.lock();
    let messages: Vec<_> =
        questions.iter().filter_map(|question| question.body["message"].as_str()).collect();
    assert_eq!(
        messages,
        [r#"new content in volume "secrets": a"#, r#"new content in volume "secrets": a, b, c"#]
    );
    assert_eq!((questions.len(), &questions[6].body["count"]), (7, &json!(6)));
}

#[tokio::test(start_paused = true)]
async fn what_many_pods_are_told_is_spread() {
    let (events, questions) = events(|_| 201);
    let _task = running(&events);
    let start = Instant::now();
    for number in 0..30 {
        events.tell(&Pod { uid: number.to_string(), ..pod() }, "secrets", files(&["ca.crt"]));
    }
    once(&questions, 30).await;
    assert!(start.elapsed() >= 29 * PACE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dead_api_server_is_given_up_and_costs_the_caller_nothing() {
    let (events, questions) = events(|_| 0);
    let task = running(&events);
    let start = Instant::now();
    for uid in ["1", "2"] {
        events.tell(&Pod { uid: uid.into(), ..pod() }, "secrets", files(&["password"]));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    once(&questions, 2).await;
    assert!(start.elapsed() < PATIENCE + Duration::from_secs(1), "{:?}", start.elapsed());
    sleep(10 * PATIENCE).await;
    assert_eq!(questions.lock().len(), 2, "each is tried once");
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_is_logged_once() {
    let (events, questions) = events(|_| 403);
    let _task = running(&events);
    for told in 1..=2 {
        events.tell(&pod(), "secrets", files(&["password"]));
        once(&questions, told).await;
        sleep(PACE).await;
    }
    let complained = || events.complained.lock().len();
    assert_eq!(complained(), 1);
    events.complain(&KubeError::Silent(String::new()));
    events.complain(&KubeError::Refused { asked: String::new(), status: 429, reason: String::new() });
    events.complain(&KubeError::Refused { asked: String::new(), status: 403, reason: String::new() });
    assert_eq!(complained(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_is_dropped_and_counted() {
    let (events, questions) = events(|_| 201);
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for number in 0..300 {
            events.tell(&Pod { uid: number.to_string(), ..pod() }, "secrets", files(&["password"]));
        }
    });
    let counted = recorder.handle().render();
    assert!(counted.contains(r#"vaultmount_pod_events_total{outcome="dropped"} 44"#), "{counted}");
    let _task = running(&events);
    once(&questions, 256).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(questions.lock().len(), 256);
}

#[tokio::test(start_paused = true)]
async fn a_volume_without_changed_files_is_not_told_of() {
    let (events, questions) = events(|_| 201);
    let _task = running(&events);
    events.tell(&pod(), "secrets", Vec::new());
    sleep(Duration::from_secs(60)).await;
    assert!(questions.lock().is_empty());
}
