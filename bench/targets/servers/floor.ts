/** The floor: a program for three operations that does only what no gateway can avoid. It sends the fetches of Apollo's
 *  query plan, merges their results into one tree and writes it as JSON. It does not parse, validate, plan, check
 *  types, order fields, handle errors in data or watch deadlines. Large values go through callbacks, because a promise
 *  that survived a collection keeps its value alive: the same program with promises needs a third more CPU.
 *  Environment: PORT; SUBGRAPHS, a JSON object of URLs by name; MERGED=1 sends equal fetches of one client request only
 *  once. Its HTTP client is the gateway's, in the same version: `undici` of the project's own dependencies. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { operationText } from '../../operations.ts';
import type { SubgraphName } from '../../subgraphs/schemas.ts';

const merged = process.env.MERGED === '1';
const urls = JSON.parse(process.env.SUBGRAPHS ?? '{}') as Record<SubgraphName, string>;

interface Entity {
  [field: string]: unknown;
}

interface Product extends Entity {
  upc: string;
  price?: number;
  weight?: number;
  reviews?: Review[];
}

interface User extends Entity {
  id: string;
  reviews?: Review[];
}

interface Item extends Entity {
  id: string;
}

interface Review extends Entity {
  author: User;
  product: Product;
}

/** Called with the `data` of a subgraph's response. */
type OnData = (data: Entity) => void;

type OnError = (error: Error) => void;

class Subgraph {
  readonly #pool: Pool;
  readonly #path: string;

  constructor(url: string) {
    const { origin, pathname } = new URL(url);
    this.#pool = new Pool(origin, { connections: 100, pipelining: 1 });
    this.#path = pathname;
  }

  send(body: string, authorization: string | undefined, onData: OnData, onError: OnError): void {
    const headers = ['content-type', 'application/json'];
    if (authorization !== undefined) headers.push('authorization', authorization);
    const chunks: Buffer[] = [];
    this.#pool.dispatch(
      { method: 'POST', path: this.#path, headers, body },
      {
        onRequestStart() {},
        onResponseStart(_controller, status) {
          if (status !== 200) onError(new Error(`A subgraph responded with status ${status}.`));
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          const [only] = chunks;
          const text = (chunks.length === 1 && only ? only : Buffer.concat(chunks)).toString();
          onData((JSON.parse(text) as { data: Entity }).data);
        },
        onResponseError(_controller, error) {
          onError(error);
        },
      },
    );
  }
}

const accounts = new Subgraph(urls.accounts);
const inventory = new Subgraph(urls.inventory);
const products = new Subgraph(urls.products);
const reviews = new Subgraph(urls.reviews);

interface RootFetch {
  readonly subgraph: Subgraph;
  readonly body: string;
}

interface EntityFetch<T> {
  readonly subgraph: Subgraph;
  /** The body of the request up to the first representation. */
  readonly prefix: string;
  key(target: T): string;
  representation(target: T): string;
  assign(target: T, entity: T): void;
  /** Whether the result holds only scalars and may be inserted at several paths of the tree. */
  readonly hasOnlyScalars: boolean;
}

function rootFetch(subgraph: Subgraph, query: string): RootFetch {
  return { subgraph, body: JSON.stringify({ query }) };
}

function entityPrefix(type: string, selection: string): string {
  const query = `query($representations:[_Any!]!){_entities(representations:$representations){...on ${type}{${selection}}}}`;
  return `{"query":${JSON.stringify(query)},"variables":{"representations":[`;
}

const userKey = {
  key: ({ id }: User) => id,
  representation: ({ id }: User) => `{"__typename":"User","id":"${id}"}`,
};
const productKey = {
  key: ({ upc }: Product) => upc,
  representation: ({ upc }: Product) => `{"__typename":"Product","upc":"${upc}"}`,
};
const pricedProductKey = {
  key: ({ upc }: Product) => upc,
  representation: ({ upc, price, weight }: Product) =>
    `{"__typename":"Product","upc":"${upc}","price":${price},"weight":${weight}}`,
};

const authorReviews = 'id body author{id username reviews{id body product{upc}}}';

const allUsers = rootFetch(accounts, '{users{id username name}}');
const topProducts = rootFetch(products, '{topProducts(first:5){upc name price weight}}');

const topProductNames = rootFetch(products, '{topProducts(first:1){upc name}}');

const usersReviews: EntityFetch<User> = {
  ...userKey,
  subgraph: reviews,
  prefix: entityPrefix('User', `reviews{id body product{upc reviews{${authorReviews}}}}`),
  hasOnlyScalars: false,
  assign(target, entity) {
    target.reviews = entity.reviews ?? [];
  },
};
const productsReviews: EntityFetch<Product> = {
  ...productKey,
  subgraph: reviews,
  prefix: entityPrefix('Product', `reviews{${authorReviews}}`),
  hasOnlyScalars: false,
  assign(target, entity) {
    target.reviews = entity.reviews ?? [];
  },
};
const reviewTexts: EntityFetch<Product> = {
  ...productKey,
  subgraph: reviews,
  prefix: entityPrefix('Product', 'reviews{id body}'),
  hasOnlyScalars: false,
  assign(target, entity) {
    target.reviews = entity.reviews ?? [];
  },
};
const itemStock: EntityFetch<Item> = {
  key: ({ id }) => id,
  representation: ({ id }) => `{"__typename":"Item","id":"${id}"}`,
  subgraph: inventory,
  prefix: entityPrefix('Item', 'stock'),
  hasOnlyScalars: true,
  assign(target, entity) {
    target.stock = entity.stock;
  },
};
const authorNames: EntityFetch<User> = {
  ...userKey,
  subgraph: accounts,
  prefix: entityPrefix('User', 'name'),
  hasOnlyScalars: true,
  assign(target, entity) {
    target.name = entity.name;
  },
};
const productFacts: EntityFetch<Product> = {
  ...productKey,
  subgraph: products,
  prefix: entityPrefix('Product', 'name price weight'),
  hasOnlyScalars: true,
  assign(target, { name, price, weight }) {
    target.name = name;
    target.price = price as number;
    target.weight = weight as number;
  },
};
const stock: EntityFetch<Product> = {
  ...productKey,
  subgraph: inventory,
  prefix: entityPrefix('Product', 'inStock'),
  hasOnlyScalars: true,
  assign(target, entity) {
    target.inStock = entity.inStock;
  },
};
const shipping: EntityFetch<Product> = {
  ...pricedProductKey,
  subgraph: inventory,
  prefix: entityPrefix('Product', 'shippingEstimate'),
  hasOnlyScalars: true,
  assign(target, entity) {
    target.shippingEstimate = entity.shippingEstimate;
  },
};
const stockAndShipping: EntityFetch<Product> = {
  ...pricedProductKey,
  subgraph: inventory,
  prefix: entityPrefix('Product', 'inStock shippingEstimate'),
  hasOnlyScalars: true,
  assign(target, entity) {
    target.inStock = entity.inStock;
    target.shippingEstimate = entity.shippingEstimate;
  },
};

interface SharedFetch {
  data: Entity | undefined;
  readonly waiting: OnData[];
}

/** One client request: the tree under construction, and the number of pending fetches. */
class Answer {
  readonly #response: ServerResponse;
  readonly #authorization: string | undefined;
  readonly #shared = merged ? new Map<string, SharedFetch>() : undefined;
  #data: Entity = {};
  #pending = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#authorization = response.req.headers.authorization;
  }

  root<T>(name: string, fetch: RootFetch, then: (values: T[]) => void): void {
    this.#send(fetch.subgraph, fetch.body, (data) => {
      this.#data[name] = data[name];
      then(data[name] as T[]);
    });
  }

  entities<T>(fetch: EntityFetch<T>, targets: readonly T[], then?: () => void): void {
    const positions = new Map<string, number>();
    const positionOfTarget = new Array<number>(targets.length);
    let body = fetch.prefix;
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index] as T;
      const key = fetch.key(target);
      let position = positions.get(key);
      if (position === undefined) {
        position = positions.size;
        positions.set(key, position);
        body += (position === 0 ? '' : ',') + fetch.representation(target);
      }
      positionOfTarget[index] = position;
    }
    body += ']}}';
    const onData: OnData = (data) => {
      const entities = data._entities as T[];
      for (let index = 0; index < targets.length; index++) {
        fetch.assign(targets[index] as T, entities[positionOfTarget[index] as number] as T);
      }
      then?.();
    };
    if (this.#shared && fetch.hasOnlyScalars) this.#share(this.#shared, fetch.subgraph, body, onData);
    else this.#send(fetch.subgraph, body, onData);
  }

  #share(shared: Map<string, SharedFetch>, subgraph: Subgraph, body: string, onData: OnData): void {
    // Bodies for different subgraphs always differ, because no two subgraphs define the same fields.
    const known = shared.get(body);
    if (known?.data) {
      onData(known.data);
    } else if (known) {
      known.waiting.push(onData);
    } else {
      const entry: SharedFetch = { data: undefined, waiting: [onData] };
      shared.set(body, entry);
      this.#send(subgraph, body, (data) => {
        entry.data = data;
        for (const deliver of entry.waiting) deliver(data);
      });
    }
  }

  #send(subgraph: Subgraph, body: string, onData: OnData): void {
    this.#pending++;
    subgraph.send(
      body,
      this.#authorization,
      (data) => {
        onData(data);
        if (--this.#pending === 0) this.#finish();
      },
      (error) => {
        if (!this.#response.headersSent) this.#response.writeHead(502).end(String(error));
      },
    );
  }

  #finish(): void {
    const bytes = Buffer.from(JSON.stringify({ data: this.#data }));
    this.#data = {};
    this.#response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
    this.#response.end(bytes);
  }
}

function answerBig(response: ServerResponse): void {
  const answer = new Answer(response);
  answer.root<User>('users', allUsers, (users) => {
    answer.entities(usersReviews, users, () => {
      const reviewed = users.flatMap((user) => user.reviews ?? []).map((review) => review.product);
      completeProducts(answer, reviewed);
      completeAuthors(answer, reviewed);
    });
  });
  answer.root<Product>('topProducts', topProducts, (top) => {
    answer.entities(stockAndShipping, top);
    answer.entities(productsReviews, top, () => completeAuthors(answer, top));
  });
}

function completeAuthors(answer: Answer, reviewed: readonly Product[]): void {
  const authors: User[] = [];
  const theirProducts: Product[] = [];
  for (const product of reviewed) {
    for (const { author } of product.reviews ?? []) {
      authors.push(author);
      for (const review of author.reviews ?? []) theirProducts.push(review.product);
    }
  }
  answer.entities(authorNames, authors);
  completeProducts(answer, theirProducts);
}

function completeProducts(answer: Answer, targets: readonly Product[]): void {
  answer.entities(productFacts, targets, () => answer.entities(shipping, targets));
  answer.entities(stock, targets);
}

function answerSmall(response: ServerResponse): void {
  const answer = new Answer(response);
  answer.root<Product>('topProducts', topProductNames, (top) => answer.entities(reviewTexts, top));
}

function answerCatalog(response: ServerResponse, variables: Variables): void {
  const query = 'query($first:Int!){catalog(first:$first){id name}}';
  const fetch = { subgraph: products, body: JSON.stringify({ query, variables }) };
  const answer = new Answer(response);
  answer.root<Item>('catalog', fetch, (items) => answer.entities(itemStock, items));
}

type Variables = Readonly<Record<string, unknown>>;

const operations = new Map<string, (response: ServerResponse, variables: Variables) => void>([
  [operationText('big'), answerBig],
  [operationText('small'), answerSmall],
  [operationText('catalog'), answerCatalog],
]);

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { query, variables = {} } = JSON.parse(Buffer.concat(chunks).toString()) as {
      readonly query: string;
      readonly variables?: Variables;
    };
    const operation = operations.get(query);
    if (operation) operation(response, variables);
    else response.end('{"data":{}}');
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
