import type { AnswerRecord, QuestionRecord, ReviewRecord } from '../shared/records.ts';
import { DateTime } from '../shared/scalars.ts';
import type { FieldResolver, ResolverMap, SubgraphContext } from '../shared/subgraphDefinition.ts';
import type { ContentRecord, NewReview, ReviewsStore } from './data.ts';

type Context = SubgraphContext<ReviewsStore>;

interface ReviewsArguments {
  readonly first: number;
  readonly sort: 'NEWEST' | 'MOST_HELPFUL' | 'HIGHEST_RATING' | 'LOWEST_RATING';
  readonly filter?: {
    readonly ratings?: readonly number[] | null;
    readonly isVerifiedPurchase?: boolean | null;
    readonly writtenAfter?: string | null;
  } | null;
}

/** The fields that `Product.headline` requires. */
interface HeadlineParent {
  readonly id: string;
  readonly name: string;
  readonly brand: { readonly name: string };
}

interface Problem {
  readonly field: string;
  readonly message: string;
}

const byAge = (a: { createdAt: string }, b: { createdAt: string }) =>
  Date.parse(b.createdAt) - Date.parse(a.createdAt);

const orders: Readonly<Record<ReviewsArguments['sort'], (a: ReviewRecord, b: ReviewRecord) => number>> = {
  NEWEST: byAge,
  MOST_HELPFUL: (a, b) => b.helpfulVotes - a.helpfulVotes,
  HIGHEST_RATING: (a, b) => b.rating - a.rating,
  LOWEST_RATING: (a, b) => a.rating - b.rating,
};

function takeFirst<T>(items: readonly T[], first: number): readonly T[] {
  return items.slice(0, Math.max(0, first));
}

function matches(review: ReviewRecord, filter: ReviewsArguments['filter']): boolean {
  if (filter == null) return true;
  const { ratings, isVerifiedPurchase, writtenAfter } = filter;
  return (
    (ratings == null || ratings.includes(review.rating)) &&
    (isVerifiedPurchase == null || review.isVerifiedPurchase === isVerifiedPurchase) &&
    (writtenAfter == null || Date.parse(review.createdAt) > Date.parse(writtenAfter))
  );
}

/** Rounded to one digit; null without reviews. */
function averageRating(reviews: readonly ReviewRecord[]): number | null {
  if (reviews.length === 0) return null;
  const sum = reviews.reduce((total, { rating }) => total + rating, 0);
  return Math.round((sum / reviews.length) * 10) / 10;
}

function listFeed(store: ReviewsStore, kind: string | null | undefined): ContentRecord[] {
  const reviews = store.reviews.map((review): ContentRecord => ({ ...review, __typename: 'Review' }));
  const questions = store.questions.map(
    (question): ContentRecord => ({ ...question, __typename: 'Question' }),
  );
  return [...(kind === 'QUESTION' ? [] : reviews), ...(kind === 'REVIEW' ? [] : questions)].sort(byAge);
}

function findProblems(
  store: ReviewsStore,
  review: Omit<NewReview, 'authorId'> & { authorId: string | null },
) {
  const problems: Problem[] = [];
  if (!store.hasProduct(review.productId)) problems.push({ field: 'productId', message: 'No such product' });
  if (review.authorId === null || store.findUsername(review.authorId) === null) {
    problems.push({ field: 'authorId', message: 'No such account' });
  }
  if (review.rating < 1 || review.rating > 5) problems.push({ field: 'rating', message: 'From 1 to 5' });
  if (review.body.trim() === '') problems.push({ field: 'body', message: 'Must say something' });
  return problems;
}

/** Includes `username`, because the fields that return an author have `@provides`. */
const author: FieldResolver<ReviewsStore> = ({ authorId }: { authorId: string }, _args, { store }) => ({
  id: authorId,
  username: store.findUsername(authorId),
});

const product: FieldResolver<ReviewsStore> = ({ productId }: { productId: string }) => ({ id: productId });

export const resolvers: ResolverMap<ReviewsStore> = {
  DateTime,
  Query: {
    review: (_root, { id }: { id: string }, { store }) => store.findReview(id),
    topReviews: (_root, { first }: { first: number }, { store }) =>
      takeFirst([...store.reviews].sort(orders.MOST_HELPFUL), first),
    feed: (_root, { first, kind }: { first: number; kind?: string | null }, { store }) =>
      takeFirst(listFeed(store, kind), first),
    popularMedia: (_root, { first }: { first: number }, { store }) =>
      takeFirst(store.likedMediaIds, first).map((id) => ({ id })),
  },
  Mutation: {
    addReview(
      _root,
      { input }: { input: NewReview & { title?: string | null; authorId?: string | null } },
      { store, viewerId },
    ) {
      const authorId = input.authorId ?? viewerId;
      const review = { ...input, title: input.title ?? null, authorId };
      const problems = findProblems(store, review);
      return problems.length > 0 || authorId === null
        ? { review: null, problems }
        : { review: store.addReview({ ...review, authorId }), problems };
    },
    voteHelpful(_root, { reviewId }: { reviewId: string }, { store }) {
      const review = store.findReview(reviewId);
      if (review !== null) review.helpfulVotes += 1;
      return review;
    },
  },
  Subscription: {
    reviewAdded: {
      subscribe: (_root, { productId }: { productId?: string | null }, { store, signal }) =>
        store.reviewAdded.subscribe(signal, (review) => productId == null || review.productId === productId),
      resolve: (review: ReviewRecord) => review,
    },
  },
  Review: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findReview(id),
    author,
    product,
    media: ({ mediaIds }: ReviewRecord) => mediaIds.map((id) => ({ id })),
  },
  Question: {
    __resolveReference: ({ id }: { id: string }, { store }: Context) => store.findQuestion(id),
    author,
    product,
    answers: ({ answers }: QuestionRecord): readonly AnswerRecord[] => answers,
  },
  Answer: { author },
  Product: {
    __resolveReference: (reference: { id: string }) => reference,
    reviews: ({ id }: { id: string }, { first, sort, filter }: ReviewsArguments, { store }) =>
      takeFirst(
        store
          .listReviewsOfProduct(id)
          .filter((review) => matches(review, filter))
          .sort(orders[sort]),
        first,
      ),
    reviewCount: ({ id }: { id: string }, _args, { store }) => store.listReviewsOfProduct(id).length,
    averageRating: ({ id }: { id: string }, _args, { store }) =>
      averageRating(store.listReviewsOfProduct(id)),
    ratingHistogram: ({ id }: { id: string }, _args, { store }) =>
      [1, 2, 3, 4, 5].map(
        (stars) => store.listReviewsOfProduct(id).filter(({ rating }) => rating === stars).length,
      ),
    questions: ({ id }: { id: string }, { first }: { first: number }, { store }) =>
      takeFirst(store.listQuestionsOfProduct(id), first),
    headline({ id, name, brand }: HeadlineParent, _args, { store }) {
      const average = averageRating(store.listReviewsOfProduct(id));
      return `${name} by ${brand.name}, ${average === null ? 'not rated yet' : `${average} of 5`}`;
    },
  },
  Account: {
    __resolveReference: (reference: { id: string }) => reference,
    reviews: ({ id }: { id: string }, { first }: { first: number }, { store }) =>
      takeFirst(store.listReviewsByAuthor(id), first),
    reviewCount: ({ id }: { id: string }, _args, { store }) => store.listReviewsByAuthor(id).length,
  },
  Media: {
    __resolveReference: ({ id }: { id: string }) => ({ id }),
    likes: ({ id }: { id: string }, _args, { store }) => store.listLikes(id).length,
    likedBy: ({ id }: { id: string }, { first }: { first: number }, { store }) =>
      takeFirst(store.listLikes(id), first).map((accountId) => ({ id: accountId })),
  },
};
