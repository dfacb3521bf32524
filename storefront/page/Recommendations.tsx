import type { CSSProperties } from 'react';
import { Notice } from './Notice.tsx';
import type { CardProduct } from './operations.ts';
import { ProductCard, ProductCardSkeleton } from './ProductCard.tsx';

interface RecommendationsProps {
  /** `undefined` or `null` until the recommendations arrive, and permanently if they fail. */
  readonly products: readonly CardProduct[] | null | undefined;
  readonly isPending: boolean;
  readonly onRetry: () => void;
}

/** The slow part of the product page. It reserves its space from the start, so that the layout does not move when it
 *  fills in. */
export function Recommendations({ products, isPending: isComing, onRetry }: RecommendationsProps) {
  const isPending = !products && isComing;
  return (
    <section className="section" aria-labelledby="recommendations-title" aria-busy={isPending}>
      <h2 id="recommendations-title">You may also like</h2>
      <p className="visually-hidden" role="status">
        {statusOf(products, isPending)}
      </p>
      <RecommendationList products={products} isPending={isPending} onRetry={onRetry} />
    </section>
  );
}

function statusOf(products: RecommendationsProps['products'], isPending: boolean): string {
  if (isPending) return 'Loading recommendations…';
  return products ? `${products.length} recommendations` : '';
}

interface RecommendationListProps {
  readonly products: RecommendationsProps['products'];
  readonly isPending: boolean;
  readonly onRetry: () => void;
}

function RecommendationList({ products, isPending, onRetry }: RecommendationListProps) {
  if (isPending) {
    return (
      <ul className="recommendations" data-state="pending" aria-hidden="true">
        {[0, 1, 2, 3].map((index) => (
          <li key={index}>
            <ProductCardSkeleton />
          </li>
        ))}
      </ul>
    );
  }
  if (!products) {
    return <Notice text="Recommendations are not available at the moment." onRetry={onRetry} />;
  }
  if (products.length === 0) return <p className="empty">Nothing to recommend for this product.</p>;
  return (
    <ul className="recommendations fills-in" data-state="arrived">
      {products.map((product, index) => (
        <li key={product.id} style={{ '--order': index } as CSSProperties}>
          <ProductCard product={product} heading="h3" />
        </li>
      ))}
    </ul>
  );
}
