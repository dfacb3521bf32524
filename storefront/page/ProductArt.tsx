import { memo } from 'react';

interface ProductArtProps {
  /** The same seed always draws the same picture. */
  readonly seed: string;
}

/** A drawing in place of a photograph, different for each product. It is pure decoration, so it is hidden from screen
 *  readers. */
export const ProductArt = memo(function ProductArt({ seed }: ProductArtProps) {
  const random = randomNumbers(seed);
  const hue = Math.floor(random() * 360);
  const ground = `hsl(${hue} 34% 90%)`;
  const streams = Array.from({ length: 4 }, (_, index) => {
    const start = 20 + random() * 360;
    const bend = 120 + random() * 160;
    const meeting = 150 + random() * 100;
    return {
      path: `M${start.toFixed(0)} -20C${start.toFixed(0)} ${bend.toFixed(0)} ${meeting.toFixed(0)} 110 ${meeting.toFixed(0)} 320`,
      colour: `hsl(${(hue + index * 22) % 360} ${42 + index * 6}% ${44 + index * 9}%)`,
      width: 16 + random() * 34,
    };
  });
  const [sunX, sunY, sunRadius] = [60 + random() * 280, 50 + random() * 90, 24 + random() * 34];
  return (
    <svg className="art" viewBox="0 0 400 300" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      <rect width="400" height="300" fill={ground} />
      <circle cx={sunX} cy={sunY} r={sunRadius} fill={`hsl(${(hue + 40) % 360} 70% 78%)`} />
      {streams.map(({ path, colour, width }) => (
        <path
          key={path}
          d={path}
          fill="none"
          stroke={colour}
          strokeWidth={width}
          strokeLinecap="round"
          strokeOpacity={0.82}
        />
      ))}
    </svg>
  );
});

/** Returns a generator of numbers in [0, 1) that is determined by the seed (FNV-1a, then mulberry32). */
function randomNumbers(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
