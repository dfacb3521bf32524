/** A key press reaches this process from the terminal and once more from a parent that passes it on. */
const samePressMs = 300;

export interface StopListener {
  /** The first SIGTERM or SIGINT, or the end of a parent that holds a message channel to this process. */
  readonly onFirst: () => void;
  /** A signal after that, by somebody who does not want to wait. */
  readonly onAgain: () => void;
}

/** Listens for SIGTERM and SIGINT until the returned function is called. */
export function listenForStop({ onFirst, onAgain }: StopListener): () => void {
  let firstAt: number | undefined;
  const listener = () => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      onFirst();
    } else if (now - firstAt > samePressMs) {
      onAgain();
    }
  };
  process.on('SIGTERM', listener).on('SIGINT', listener).on('disconnect', onFirst);
  return () => {
    process.off('SIGTERM', listener).off('SIGINT', listener).off('disconnect', onFirst);
  };
}
