//! A service that mounts the operator's console over the database of the quickstart, and runs the worker.
//!
//! Run `cargo run -p relinquish-service`, and open the address that it prints. All files are in a temporary folder,
//! which is deleted when the program ends. Two operators can sign in: `ann` plans, `ben` plans and approves.

// An example may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::get;
use relinquish_console::{Console, ConsoleKey};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

mod sign_in;
mod world;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let world = world::build().await?;
    let engine = world.engine.clone();

    let console = Console::builder(engine.clone(), ConsoleKey::random()?, |work| {
        tokio::spawn(work);
    })
    .mounted_at("/erasure")
    .signs_out_at("/sign-out")
    .letters(world.controller, world.authority)
    .checkpoints(world.ledger, world.signer)
    .build();
    let sessions = Arc::new(sign_in::Sessions::default());
    let app = Router::new()
        .nest_service("/erasure", console)
        .layer(from_fn_with_state(Arc::clone(&sessions), sign_in::with_operator))
        .route("/", get(|| async { Redirect::to("/erasure/") }))
        .merge(sign_in::routes(sessions));

    let (stop, stopped) = oneshot::channel::<()>();
    let worker = engine.worker().every(Duration::from_secs(2));
    let worker = tokio::spawn(worker.run(async move { drop(stopped.await) }));

    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!(
        "the console is at http://{}/ (sign in as ann or ben, with the word {})",
        listener.local_addr()?,
        sign_in::WORD
    );
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    drop(stop);
    worker.await?;
    Ok(())
}
