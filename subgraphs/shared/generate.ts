import { createRandom, type Random } from './random.ts';
import type {
  AccountRecord,
  AccountsData,
  InventoryData,
  MediaRecord,
  ProductRecord,
  ProductsData,
  QuestionRecord,
  RecommendationsData,
  ReviewRecord,
  ReviewsData,
} from './records.ts';
import {
  brands,
  type CategoryWords,
  categories,
  countries,
  questionTexts,
  ratingWords,
  usernameAdjectives,
  usernameNouns,
  warehouses,
} from './vocabulary.ts';

const accountCount = 320;
const reviewCount = 2400;
const questionCount = 120;

// The records of the demo: equal on every machine and in every run, because pages and tests name some of them. Each call
// returns new objects.

/** Generates in the first call only. The others parse, which takes a quarter of the time: tests start these subgraphs
 *  hundreds of times. */
function generateOnce<Data>(generate: () => Data): () => Data {
  let json: string | undefined;
  return () => {
    json ??= JSON.stringify(generate());
    return JSON.parse(json);
  };
}

/** A random instant from the start of `fromYear` to the start of the other year, in whole seconds, UTC. */
function randomInstant(random: Random, fromYear: number, toYear: number): string {
  const from = Date.UTC(fromYear, 0) / 1000;
  const to = Date.UTC(toYear, 0) / 1000;
  return new Date(random.integer(from, to) * 1000).toISOString();
}

function capitalise(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export function generateAccounts(): AccountsData {
  const random = createRandom(1);
  const accounts: AccountRecord[] = [];
  for (let index = 0; index < accountCount; index++) {
    // 25 and 24 have no common divisor, so the pairs repeat only after 600 accounts.
    const adjective = usernameAdjectives[index % usernameAdjectives.length] as string;
    const noun = usernameNouns[index % usernameNouns.length] as string;
    const username = `${adjective}-${noun}`;
    accounts.push({
      id: `a${index + 1}`,
      username,
      displayName: `${capitalise(adjective)} ${capitalise(noun)}`,
      email: `${username}@mail.example`,
      role: index % 40 === 0 ? 'STAFF' : index % 15 === 0 ? 'MODERATOR' : 'CUSTOMER',
      country: random.pick(countries),
      joinedAt: randomInstant(random, 2019, 2025),
      loyaltyPoints: random.integer(0, 4200),
      preferences: {
        newsletter: random.chance(0.4),
        theme: random.pick(['light', 'dark', 'system']),
        favouriteDepartments: random.sample(['KITCHEN', 'OUTDOOR', 'HOME', 'OFFICE'], random.integer(0, 2)),
      },
    });
  }
  return { accounts };
}

export function generateProducts(): ProductsData {
  const random = createRandom(2);
  const products: ProductRecord[] = [];
  for (const category of categories) {
    for (const noun of category.nouns) {
      for (const variant of category.variants) {
        products.push(generateProduct(random, category, noun, variant, products.length + 1));
      }
    }
  }
  return {
    brands: [...brands],
    categories: categories.map(({ department, slug, name, description }) => ({
      department,
      slug,
      name,
      description,
    })),
    products,
  };
}

function generateProduct(
  random: Random,
  category: CategoryWords,
  noun: string,
  variant: string,
  number: number,
): ProductRecord {
  const id = `p${number}`;
  const name = `${noun}, ${variant}`;
  const material = random.pick(category.materials);
  const priceCents = random.integer(...category.price) * 100 + random.pick([0, 50, 90, 95]);
  const isReduced = random.chance(0.3);
  return {
    id,
    // In the range reserved for a shop's own codes. The UPC differs from the id on purpose, so that looking up an
    // entity by the wrong key finds nothing.
    upc: String(2_000_000_000_000 + ((number * 7919) % 100_003) * 7),
    name,
    tagline: random.chance(0.8) ? `${capitalise(random.pick(category.uses))}, done well.` : null,
    description: [`Made of ${material}.`, random.pick(category.features), random.pick(category.care)].join(
      ' ',
    ),
    brandId: random.pick(brands).id,
    department: category.department,
    categorySlug: category.slug,
    priceCents,
    listPriceCents: isReduced ? Math.round((priceCents * random.integer(110, 160)) / 100) : null,
    weightGrams: random.integer(...category.weight),
    dimensions: random.chance(0.9)
      ? {
          length: random.integer(...category.side),
          width: random.integer(...category.side),
          height: random.integer(...category.side),
        }
      : null,
    attributes: { material, variant, origin: random.pick(countries), madeToOrder: random.chance(0.1) },
    tags: random.sample(category.tags, random.integer(0, category.tags.length)),
    sizeChart: random.chance(0.25)
      ? [
          ['Size', ...category.variants],
          ['Length (cm)', ...category.variants.map(() => String(random.integer(...category.side)))],
          ['Weight (g)', ...category.variants.map(() => String(random.integer(...category.weight)))],
        ]
      : null,
    media: generateMedia(random, id, name),
    warrantyMonths: random.pick([null, 12, 24, 60, 120]),
    lastKnownInStock: random.chance(0.5),
    sold: random.integer(3, 9000),
    releasedAt: randomInstant(random, 2021, 2026),
  };
}

function generateMedia(random: Random, productId: string, name: string): MediaRecord[] {
  const media: MediaRecord[] = [];
  const imageCount = random.integer(1, 3);
  for (let index = 1; index <= imageCount; index++) {
    media.push({
      __typename: 'Image',
      id: `${productId}-m${index}`,
      alt: index === 1 ? name : `${name}, view ${index}`,
      width: 640,
      height: index === 1 ? 640 : 480,
    });
  }
  if (random.chance(0.3)) {
    media.push({
      __typename: 'Video',
      id: `${productId}-m${imageCount + 1}`,
      alt: `${name} in use`,
      durationSeconds: random.integer(12, 95),
    });
  }
  return media;
}

export function generateInventory(): InventoryData {
  const random = createRandom(3);
  const { products } = generateProducts();
  const stock: InventoryData['stock'] = [];
  for (const { upc } of products) {
    // Some products are sold out everywhere, others are stored in one place only.
    const isSoldOut = random.chance(0.08);
    for (const { code } of random.sample(warehouses, random.integer(1, warehouses.length))) {
      stock.push({ upc, warehouseCode: code, quantity: isSoldOut ? 0 : random.integer(0, 80) });
    }
  }
  return { warehouses: [...warehouses], stock };
}

function createReviews(): ReviewsData {
  const random = createRandom(4);
  const { accounts } = generateAccounts();
  const { products } = generateProducts();
  const reviews: ReviewRecord[] = [];
  // Some products have no review, so that their averages are null.
  const reviewed = products.filter((_product, index) => index % 29 !== 28);
  for (let index = 1; index <= reviewCount; index++) {
    // Squared, so that some products have a hundred reviews and others a few.
    const product = reviewed[Math.floor(random.next() ** 2 * reviewed.length)] as ProductRecord;
    const rating = random.pick([1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5]);
    const words = ratingWords[rating - 1];
    const category = categories.find(({ slug }) => slug === product.categorySlug);
    if (words === undefined || category === undefined) throw new Error(`No words for ${product.id}`);
    const noun = (product.name.split(',')[0] ?? product.name).toLowerCase();
    const body = [random.pick(words.openings), random.pick(words.details), random.pick(words.endings)]
      .join(' ')
      .replaceAll('{noun}', noun)
      .replaceAll('{use}', random.pick(category.uses));
    const pictured = random.chance(0.1) ? random.sample(product.media, 2) : [];
    reviews.push({
      id: `r${index}`,
      productId: product.id,
      authorId: random.pick(accounts).id,
      rating,
      title: random.chance(0.85) ? random.pick(words.titles) : null,
      body,
      helpfulVotes: random.integer(0, 40),
      isVerifiedPurchase: random.chance(0.7),
      mediaIds: pictured.map(({ id }) => id),
      createdAt: randomInstant(random, 2023, 2026),
    });
  }

  const questions: QuestionRecord[] = [];
  for (let index = 1; index <= questionCount; index++) {
    const text = random.pick(questionTexts);
    questions.push({
      id: `q${index}`,
      productId: random.pick(products).id,
      authorId: random.pick(accounts).id,
      body: text.question,
      createdAt: randomInstant(random, 2023, 2026),
      answers: text.answers.map((body, position) => ({
        id: `q${index}-${position + 1}`,
        authorId: random.pick(accounts).id,
        body,
        createdAt: randomInstant(random, 2025, 2026),
      })),
    });
  }

  const likes = products
    .flatMap(({ media }) => media)
    .filter(() => random.chance(0.3))
    .map(({ id }) => ({
      mediaId: id,
      accountIds: random.sample(accounts, random.integer(1, 9)).map((a) => a.id),
    }));

  return {
    authors: accounts.map(({ id, username }) => ({ id, username })),
    products: products.map(({ id }) => ({ id })),
    reviews,
    questions,
    likes,
  };
}

function createRecommendations(): RecommendationsData {
  const random = createRandom(5);
  const { accounts } = generateAccounts();
  const { products, categories: shelves } = generateProducts();
  const refer = ({ id, upc }: ProductRecord) => ({ id, upc });
  const reasons = ['SIMILAR', 'BOUGHT_TOGETHER', 'TRENDING'] as const;
  return {
    categories: shelves.map(({ department, slug, name }) => ({
      department,
      slug,
      name,
      trending: random
        .sample(
          products.filter((product) => product.categorySlug === slug),
          8,
        )
        .map(refer),
    })),
    products: products.map((product) => {
      const others = products.filter(({ id }) => id !== product.id);
      const neighbours = others.filter(({ categorySlug }) => categorySlug === product.categorySlug);
      return {
        ...refer(product),
        recommended: [...random.sample(neighbours, 5), ...random.sample(others, 3)]
          .filter((other, index, all) => all.indexOf(other) === index)
          .map(refer),
        boughtTogether: Array.from({ length: random.integer(0, 3) }, () =>
          random.sample(others, random.integer(1, 3)).map(refer),
        ),
      };
    }),
    accounts: accounts.map(({ username }) => ({
      username,
      suggestions: random.sample(products, random.integer(0, 5)).map((product) => ({
        product: refer(product),
        reason: random.pick(reasons),
        score: random.integer(100, 1000) / 1000,
      })),
    })),
  };
}

export const generateReviews = generateOnce(createReviews);
export const generateRecommendations = generateOnce(createRecommendations);
