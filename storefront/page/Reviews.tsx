import { formatCount, formatDate } from './format.ts';
import type { Review } from './operations.ts';
import { Placeholder } from './Placeholder.tsx';
import type { PartState } from './productLoader.ts';
import { Rating } from './Rating.tsx';

interface ReviewsProps {
  readonly reviews: readonly Review[] | null | undefined;
  /** Counts all reviews, including those that the page does not show. */
  readonly reviewCount: number | null | undefined;
  readonly state: PartState;
  readonly onRetry: () => void;
}

const words = {
  pending: 'The reviews take longer than usual. The rest of the page does not wait for them.',
  failed: 'The reviews are not available at the moment. They appear here as soon as they are.',
};

export function Reviews({ reviews, reviewCount, state, onRetry }: ReviewsProps) {
  return (
    <section className="section" aria-labelledby="reviews-title" aria-busy={state === 'pending'}>
      <h2 id="reviews-title">
        Reviews{' '}
        {typeof reviewCount === 'number' ? <span className="count">{formatCount(reviewCount)}</span> : null}
      </h2>
      {state === 'arrived' ? (
        <ReviewList reviews={reviews ?? []} />
      ) : (
        <Placeholder state={state} text={words[state]} onRetry={onRetry}>
          <ul className="reviews">
            {[0, 1, 2, 3].map((index) => (
              <li key={index}>
                <div className="review">
                  <div className="bone line short" />
                  <div className="bone line wide" />
                  <div className="bone line wide" />
                  <div className="bone line short" />
                </div>
              </li>
            ))}
          </ul>
        </Placeholder>
      )}
    </section>
  );
}

function ReviewList({ reviews }: { readonly reviews: readonly Review[] }) {
  if (reviews.length === 0) return <p className="empty">No reviews of this product yet.</p>;
  return (
    <ul className="reviews">
      {reviews.map((review) => (
        <li key={review.id}>
          <ReviewCard review={review} />
        </li>
      ))}
    </ul>
  );
}

function ReviewCard({ review }: { readonly review: Review }) {
  return (
    <article className="review">
      <Rating value={review.rating} />
      {review.title === null ? null : <h3>{review.title}</h3>}
      <p>{review.body}</p>
      <footer>
        <span className="author">{review.author.displayName ?? `@${review.author.username}`}</span>
        {', '}
        <time dateTime={review.createdAt}>{formatDate(review.createdAt)}</time>
        {review.isVerifiedPurchase ? ' · Verified purchase' : null}
      </footer>
    </article>
  );
}
