//! A database whose writer is busy for as long as a test wants.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use keybell_store::{Op, StoreError, Tx};

use super::Desk;

/// Holds the writer from when it says so until it is let go.
struct Hold(Mutex<(Sender<()>, Receiver<()>)>);

impl Op for Hold {
    const NAME: &'static str = "test.hold";
    type Out = ();

    fn run(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
        let hold = self.0.lock().expect("one holds it");
        hold.0.send(()).expect("the test waits for this");
        hold.1.recv().expect("the test lets go");
        Ok(())
    }
}

impl Desk {
    /// Holds the writer until something is sent to what this gives.
    pub(super) fn hold_writer(&self) -> Sender<()> {
        let ((holding, has_begun), (let_go, hold)) = (channel(), channel());
        self.house.store().write_then(Hold(Mutex::new((holding, hold))), drop);
        has_begun.recv().expect("it says so");
        let_go
    }
}
