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
    <nav className="late-by" aria-label="Who lets recommendations come late">
      <span>Recommendations are allowed to be late</span>
      <ul>
        {(Object.keys(modeLabels) as DeferralMode[]).map((way) => (
          <li key={way}>
            <Link href={productHref(id, way)} aria-current={way === deferralMode ? 'page' : undefined}>
              {modeLabels[way]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
