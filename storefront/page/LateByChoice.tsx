import { addressOfProduct, type LateBy } from './addresses.ts';
import { Link } from './navigation.tsx';

const ways: Readonly<Record<LateBy, string>> = {
  graph: 'by the graph',
  page: 'by this page',
};

interface LateByChoiceProps {
  readonly id: string;
  readonly lateBy: LateBy;
}

/** Whoever looks at the demo may compare both ways in which a slow part does not hold up the others. */
export function LateByChoice({ id, lateBy }: LateByChoiceProps) {
  return (
    <nav className="late-by" aria-label="Who lets recommendations come late">
      <span>Recommendations are allowed to be late</span>
      <ul>
        {(Object.keys(ways) as LateBy[]).map((way) => (
          <li key={way}>
            <Link href={addressOfProduct(id, way)} aria-current={way === lateBy ? 'page' : undefined}>
              {ways[way]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
