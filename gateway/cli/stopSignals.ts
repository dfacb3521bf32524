/** A key press reaches this process from the terminal and once more from a parent that passes it on. */
const duplicateSignalWindowMs = 300;

interface StopSignalHandlers {
  /** The first SIGTERM or SIGINT, or the end of a parent that holds a message channel to this process. */
  readonly onStop: () => void;
  /** A signal after that, by somebody who does not want to wait. */
  readonly onForcedStop: () => void;
}

/** Listens for SIGTERM and SIGINT until the returned function is called. */
export function listenForStopSignals({ onStop, onForcedStop }: StopSignalHandlers): () => void {
  let firstAt: number | undefined;
  const listener = () => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      onStop();
    } else if (now - firstAt > duplicateSignalWindowMs) {
      onForcedStop();
    }
  };
  process.on('SIGTERM', listener).on('SIGINT', listener).on('disconnect', onStop);
  return () => {
    process.off('SIGTERM', listener).off('SIGINT', listener).off('disconnect', onStop);
  };
}
