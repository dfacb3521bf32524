import type { ReactNode } from 'react';

interface PlaceholderProps {
  readonly state: 'pending' | 'failed';
  /** Says in plain words what is missing. */
  readonly text: string;
  readonly onRetry?: () => void;
  /** Outlines that take the space of what is missing, so that the layout does not move when it arrives. */
  readonly children: ReactNode;
}

/** Takes the place of a part that is pending or has failed. */
export function Placeholder({ state, text, onRetry, children }: PlaceholderProps) {
  return (
    <div className="placeholder" data-state={state}>
      <div aria-hidden="true">{children}</div>
      <div className="placeholder-words">
        <p role={state === 'failed' ? 'alert' : 'status'}>{text}</p>
        {state === 'failed' && onRetry !== undefined ? (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        ) : null}
      </div>
    </div>
  );
}
