import { Link } from './navigation.tsx';
import { type DeferralMode, productHref } from './routes.ts';

const modeLabels: Readonly<Record<DeferralMode, string>> = {
  graph: 'by the graph',
  page: 'by this page',
};

interface DeferralChoiceProps {
  readonly id: string;
  readonly deferralMode: DeferralMode;
}

/** Lets the visitor compare both ways to deliver a slow part without delaying the others. */
export function DeferralChoice({ id, deferralMode }: DeferralChoiceProps) {
  return (
    <nav className="deferral-choice" aria-label="Who defers the recommendations">
      <span>Recommendations are deferred</span>
      <ul>
        {(Object.keys(modeLabels) as DeferralMode[]).map((mode) => (
          <li key={mode}>
            <Link href={productHref(id, mode)} aria-current={mode === deferralMode ? 'page' : undefined}>
              {modeLabels[mode]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
