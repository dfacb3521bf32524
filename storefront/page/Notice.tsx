interface NoticeProps {
  readonly text: string;
  readonly reason?: string | undefined;
  readonly onRetry?: (() => void) | undefined;
}

/** Stands in the place of a part that failed; what else is on the page stays. */
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
