interface NoticeProps {
  readonly text: string;
  readonly reason?: string | undefined;
  readonly onRetry?: (() => void) | undefined;
}

/** Replaces a part of the page that failed; the other parts stay. */
export function Notice({ text, reason, onRetry }: NoticeProps) {
  return (
    <div className="notice" role="alert">
      <div>
        <p>{text}</p>
        {reason === undefined ? null : <p className="reason">{reason}</p>}
      </div>
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
