import { formatCount, formatDate } from './format.ts';
import type { Review } from './operations.ts';
import { Rating } from './Rating.tsx';

interface ReviewsProps {
  readonly reviews: readonly Review[];
  /** Counts all reviews, including those that the page does not show. */
  readonly reviewCount: number;
}

export function Reviews({ reviews, reviewCount }: ReviewsProps) {
  return (
    <section className="section" aria-labelledby="reviews-title">
      <h2 id="reviews-title">
        Reviews <span className="count">{formatCount(reviewCount)}</span>
      </h2>
      {reviews.length === 0 ? (
        <p className="empty">Nobody has reviewed this product yet.</p>
      ) : (
        <ul className="reviews">
          {reviews.map((review) => (
            <li key={review.id}>
              <ReviewCard review={review} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ReviewCard({ review }: { readonly review: Review }) {
  return (
    <article className="review">
      <Rating value={review.rating} />
      {review.title === null ? null : <h3>{review.title}</h3>}
      <p>{review.body}</p>
      <footer>
        <span className="author">{review.author.displayName}</span>
        {', '}
        <time dateTime={review.createdAt}>{formatDate(review.createdAt)}</time>
        {review.isVerifiedPurchase ? ' · Verified purchase' : null}
      </footer>
    </article>
  );
}
