import { generateReviews } from '../shared/generate.ts';
import type { AnswerRecord, QuestionRecord, ReviewRecord } from '../shared/records.ts';
import type { StoreOptions } from '../shared/subgraphDefinition.ts';
import { createTopic, type Topic } from '../shared/topic.ts';

export interface NewReview {
  readonly productId: string;
  readonly authorId: string;
  readonly rating: number;
  readonly title: string | null;
  readonly body: string;
}

export interface ReviewsStore {
  readonly reviews: ReviewRecord[];
  readonly questions: readonly QuestionRecord[];
  readonly reviewAdded: Topic<ReviewRecord>;
  findReview(id: string): ReviewRecord | null;
  findQuestion(id: string): QuestionRecord | null;
  listReviewsOfProduct(productId: string): readonly ReviewRecord[];
  listReviewsByAuthor(authorId: string): readonly ReviewRecord[];
  listQuestionsOfProduct(productId: string): readonly QuestionRecord[];
  hasProduct(id: string): boolean;
  /** Returns null for an account that did not exist when the data was generated. */
  findUsername(authorId: string): string | null;
  /** Accounts that like the picture or film, oldest like first. */
  listLikes(mediaId: string): readonly string[];
  /** Media with likes, most liked first. */
  readonly likedMediaIds: readonly string[];
  /** Adds the review and notifies the subscribers. */
  addReview(review: NewReview): ReviewRecord;
}

export type ContentRecord =
  | (ReviewRecord & { __typename: 'Review' })
  | (QuestionRecord & { __typename: 'Question' })
  | (AnswerRecord & { __typename: 'Answer' });

export function createStore({ now = () => new Date() }: StoreOptions = {}): ReviewsStore {
  const { authors, products, reviews, questions, likes } = generateReviews();
  const reviewById = new Map(reviews.map((review) => [review.id, review]));
  const questionById = new Map(questions.map((question) => [question.id, question]));
  const reviewsByProduct = Map.groupBy(reviews, ({ productId }) => productId);
  const reviewsByAuthor = Map.groupBy(reviews, ({ authorId }) => authorId);
  const questionsByProduct = Map.groupBy(questions, ({ productId }) => productId);
  const usernames = new Map(authors.map(({ id, username }) => [id, username]));
  const productIds = new Set(products.map(({ id }) => id));
  const likesByMedia = new Map(likes.map(({ mediaId, accountIds }) => [mediaId, accountIds]));
  const reviewAdded = createTopic<ReviewRecord>();

  function append(groups: Map<string, ReviewRecord[]>, key: string, review: ReviewRecord): void {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [review]);
    else group.push(review);
  }

  return {
    reviews,
    questions,
    reviewAdded,
    findReview: (id) => reviewById.get(id) ?? null,
    findQuestion: (id) => questionById.get(id) ?? null,
    listReviewsOfProduct: (productId) => reviewsByProduct.get(productId) ?? [],
    listReviewsByAuthor: (authorId) => reviewsByAuthor.get(authorId) ?? [],
    listQuestionsOfProduct: (productId) => questionsByProduct.get(productId) ?? [],
    hasProduct: (id) => productIds.has(id),
    findUsername: (authorId) => usernames.get(authorId) ?? null,
    listLikes: (mediaId) => likesByMedia.get(mediaId) ?? [],
    likedMediaIds: [...likes]
      .sort((a, b) => b.accountIds.length - a.accountIds.length)
      .map(({ mediaId }) => mediaId),
    addReview(added) {
      const review: ReviewRecord = {
        ...added,
        id: `r${reviews.length + 1}`,
        helpfulVotes: 0,
        isVerifiedPurchase: false,
        mediaIds: [],
        createdAt: now().toISOString(),
      };
      reviews.push(review);
      reviewById.set(review.id, review);
      append(reviewsByProduct, review.productId, review);
      append(reviewsByAuthor, review.authorId, review);
      reviewAdded.publish(review);
      return review;
    },
  };
}
