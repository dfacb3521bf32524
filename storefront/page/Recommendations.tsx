import type { CSSProperties } from 'react';
import type { TileProduct } from './operations.ts';
import { Placeholder } from './Placeholder.tsx';
import { ProductCard, ProductCardSkeleton } from './ProductCard.tsx';
import type { PartState } from './productLoader.ts';

interface RecommendationsProps {
  readonly products: readonly TileProduct[] | null | undefined;
  readonly state: PartState;
  readonly onRetry: () => void;
}

const words = {
  pending: 'Choosing what goes with this product takes a moment. Everything else on this page is ready.',
  failed: 'Recommendations are not available at the moment. They appear here as soon as they are.',
};

/** The slowest part of the product page. It has the same size in every state. */
export function Recommendations({ products, state, onRetry }: RecommendationsProps) {
  return (
    <section className="section" aria-labelledby="recommendations-title" aria-busy={state === 'pending'}>
      <h2 id="recommendations-title">You may also like</h2>
      {state === 'arrived' ? (
        <RecommendationList products={products ?? []} />
      ) : (
        <Placeholder state={state} text={words[state]} onRetry={onRetry}>
          <ul className="recommendations">
            {[0, 1, 2, 3].map((index) => (
              <li key={index}>
                <ProductCardSkeleton />
              </li>
            ))}
          </ul>
        </Placeholder>
      )}
    </section>
  );
}

function RecommendationList({ products }: { readonly products: readonly TileProduct[] }) {
  if (products.length === 0) return <p className="empty">Nothing to recommend for this product.</p>;
  return (
    <ul className="recommendations fills-in">
      {products.map((product, index) => (
        <li key={product.id} style={{ '--order': index } as CSSProperties}>
          <ProductCard product={product} heading="h3" />
        </li>
      ))}
    </ul>
  );
}
