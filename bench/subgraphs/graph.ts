export interface User {
  readonly id: string;
  readonly name: string;
  readonly username: string;
}

export interface Product {
  readonly upc: string;
  readonly name: string;
  readonly price: number;
  readonly weight: number;
  readonly inStock: boolean;
}

export interface Review {
  readonly id: string;
  readonly body: string;
  readonly authorId: string;
  readonly upc: string;
}

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'];

export const users: readonly User[] = ordinals.map((ordinal, index) => ({
  id: String(index + 1),
  name: `The ${ordinal} reader`,
  username: `reader-${ordinal}`,
}));

const articles: readonly (readonly [name: string, price: number, weight: number, inStock: boolean])[] = [
  ['Oak table', 1299, 1800, true],
  ['Walnut sofa', 2450, 2900, true],
  ['Reading lamp', 89, 120, false],
  ['Desk chair', 340, 650, true],
  ['Bookcase', 520, 1400, false],
  ['Wool rug', 410, 500, true],
  ['Wall clock', 75, 60, true],
  ['Bedside drawer', 180, 420, true],
  ['Garden bench', 640, 1600, false],
];

export const products: readonly Product[] = articles.map(([name, price, weight, inStock], index) => ({
  upc: String(index + 1),
  name,
  price,
  weight,
  inStock,
}));

/** Authors and products of the reviews. The first reader reviewed the five reviewed products in order, and is the
 *  first reviewer of each. So the three paths of the `big` operation that need the same entities have them in the
 *  same order, and a gateway that fetches each entity once sends equal requests for all three. */
const authorsAndProducts: readonly (readonly [authorId: number, upc: number])[] = [
  [1, 1],
  [1, 2],
  [1, 3],
  [1, 4],
  [1, 5],
  [2, 1],
  [2, 2],
  [3, 1],
  [3, 3],
  [4, 4],
  [5, 1],
  [6, 5],
];

const remarks = [
  'It arrived two days early and stood in its place ten minutes later.',
  'The surface is smoother than the pictures make one believe.',
  'After a month of daily use nothing creaks, and nothing has come loose.',
  'One screw was missing, and the shop sent a bag of spare ones at once.',
  'The colour is a little darker than expected, which suits the room well.',
  'I would buy it again, and have told everybody who sat down next to it.',
  'The price is fair for what one gets, though delivery costs extra here.',
];

const reviews: readonly Review[] = authorsAndProducts.map(([authorId, upc], index) => ({
  id: String(index + 1),
  body: Array.from({ length: 5 }, (_, line) => remarks[(index * 3 + line) % remarks.length]).join(' '),
  authorId: String(authorId),
  upc: String(upc),
}));

export interface Item {
  readonly id: string;
  readonly name: string;
}

/** Any number of entities of two subgraphs, for operations of any size. */
export function catalog(first: number): readonly Item[] {
  return Array.from({ length: first }, (_, index) => itemById(String(index + 1)));
}

export function itemById(id: string): Item {
  return { id, name: `Item number ${id}` };
}

export function stockOf({ id }: Pick<Item, 'id'>): number {
  return (Number(id) * 7) % 100;
}

export const userById = new Map(users.map((user) => [user.id, user]));
export const productByUpc = new Map(products.map((product) => [product.upc, product]));
export const reviewById = new Map(reviews.map((review) => [review.id, review]));

export function reviewsBy(authorId: string): readonly Review[] {
  return reviews.filter((review) => review.authorId === authorId);
}

export function reviewsOf(upc: string): readonly Review[] {
  return reviews.filter((review) => review.upc === upc);
}

/** In whole units of money. Expensive products are shipped free. */
export function shippingEstimate({
  price,
  weight,
}: {
  readonly price: number;
  readonly weight: number;
}): number {
  return price > 1000 ? 0 : Math.round(weight / 2);
}
