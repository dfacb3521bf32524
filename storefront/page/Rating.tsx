interface RatingProps {
  /** From 0 to 5; `null` without ratings. */
  readonly value: number | null | undefined;
  /** The number of ratings; `null` if it is unknown. Omitted for a single rating. */
  readonly count?: number | null | undefined;
}

const star = 'M8 1.2l2.1 4.5 4.9.6-3.6 3.4.9 4.9L8 12.2l-4.3 2.4.9-4.9L1 6.3l4.9-.6z';

/** Five stars, filled up to the value, with the number beside them. */
export function Rating({ value, count }: RatingProps) {
  if (count === null) return <span className="rating">Rating not available at the moment</span>;
  if (value === null || value === undefined) return <span className="rating">Not rated yet</span>;
  const shown = value.toFixed(1).replace(/\.0$/, '');
  return (
    <span className="rating">
      <svg viewBox="0 0 83 16" role="img" aria-label={`Rated ${shown} out of 5`}>
        {[0, 1, 2, 3, 4].map((index) => (
          <g key={index} transform={`translate(${index * 17} 0)`}>
            <path d={star} fill="currentColor" opacity={0.22} />
            <path
              d={star}
              fill="currentColor"
              style={{ clipPath: `inset(0 ${unfilled(value, index)}% 0 0)` }}
            />
          </g>
        ))}
      </svg>
      {count === undefined ? null : `${shown} (${count})`}
    </span>
  );
}

/** The part of the star at `index` that stays empty, in percent. */
function unfilled(value: number, index: number): number {
  return Math.round(100 * (1 - Math.min(1, Math.max(0, value - index))));
}
