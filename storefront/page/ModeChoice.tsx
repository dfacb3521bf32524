import type { CSSProperties } from 'react';
import { formatMs } from './format.ts';
import type { Measurement } from './measureLoad.ts';
import { modeNames, modes } from './modes.ts';
import { Link } from './navigation.tsx';
import { type LoadingMode, productHref } from './routes.ts';

interface ModeChoiceProps {
  readonly id: string;
  readonly current: LoadingMode;
  readonly measurements: Readonly<Partial<Record<LoadingMode, Measurement>>>;
}

/** Offers the three modes, each with what its newest load took. All bars have the same scale. */
export function ModeChoice({ id, current, measurements }: ModeChoiceProps) {
  const times = Object.values(measurements).flatMap(({ visibleMs = 0, completeMs = 0 }) => [
    visibleMs,
    completeMs,
  ]);
  const scaleMs = Math.max(1000, ...times);
  return (
    <nav className="modes" aria-label="Who decides what this page waits for">
      <ul>
        {modeNames.map((mode) => (
          <li key={mode}>
            <Link href={productHref(id, mode)} aria-current={mode === current ? 'true' : undefined}>
              <span className="mode-name">{modes[mode].name}</span>
              <span className="mode-explanation">{modes[mode].explanation}</span>
              <Measured measurement={measurements[mode]} scaleMs={scaleMs} />
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Measured({ measurement, scaleMs }: { measurement: Measurement | undefined; scaleMs: number }) {
  const { visibleMs, completeMs } = measurement ?? {};
  const percent = (ms: number | undefined) => `${(100 * (ms ?? scaleMs)) / scaleMs}%`;
  const isLoading = measurement !== undefined && completeMs === undefined;
  const state = !isLoading ? 'done' : visibleMs === undefined ? 'empty' : 'loading';
  return (
    <>
      <span
        className="mode-bar"
        data-state={state}
        aria-hidden="true"
        style={
          {
            '--visible': visibleMs === undefined ? '0%' : percent(visibleMs),
            '--complete': measurement === undefined ? '0%' : percent(completeMs),
          } as CSSProperties
        }
      />
      <span className="mode-result">
        <Result measurement={measurement} />
      </span>
    </>
  );
}

function Result({ measurement }: { readonly measurement: Measurement | undefined }) {
  if (measurement === undefined) return 'Not loaded yet';
  const { visibleMs, completeMs } = measurement;
  if (visibleMs === undefined) return 'Nothing to see yet';
  return (
    <>
      Product after <strong>{formatMs(visibleMs)}</strong>
      {completeMs === visibleMs
        ? null
        : completeMs === undefined
          ? ', loading'
          : `, all after ${formatMs(completeMs)}`}
    </>
  );
}
