import { GraphQLError } from 'graphql';
import { moneyOf } from '../shared/money.ts';
import type { StockRecord, WarehouseRecord } from '../shared/records.ts';
import { DateTime, Decimal } from '../shared/scalars.ts';
import type { ResolverMap, SubgraphContext } from '../shared/subgraphDefinition.ts';
import type { InventoryStore, StockChangeRecord } from './data.ts';

type Context = SubgraphContext<InventoryStore>;

/** The fields that `Product.shippingEstimate` requires, as its `@requires` selects them. */
interface ParcelParent {
  readonly upc: string;
  readonly price: { readonly amount: string };
  readonly weight: number;
}

interface BoxParent {
  readonly dimensions: { readonly length: number; readonly width: number; readonly height: number } | null;
}

const lowStock = 10;
const heaviestParcelKilograms = 15;
const freeShippingFromEuros = 100;
const reservationMinutes = 20;

function quantityOf(store: InventoryStore, upc: string): number {
  return store.listStock(upc).reduce((sum, { quantity }) => sum + quantity, 0);
}

function estimateShipping(
  { price, weight }: ParcelParent,
  country: string,
  isExpress: boolean,
): number | null {
  if (weight > heaviestParcelKilograms) return null;
  const isFree = Number(price.amount) >= freeShippingFromEuros && country !== 'US';
  const standardCents = isFree ? 0 : 390 + Math.ceil(weight) * (country === 'US' ? 420 : 60);
  return isExpress ? standardCents + 990 : standardCents;
}

function chooseBox({ dimensions }: BoxParent): string | null {
  if (dimensions === null) return null;
  const longest = Math.max(dimensions.length, dimensions.width, dimensions.height);
  return longest > 60 ? 'LARGE' : longest > 30 ? 'MEDIUM' : 'SMALL';
}

function reserve(store: InventoryStore, upc: string, quantity: number): unknown {
  if (quantity < 1) {
    throw new GraphQLError('`quantity` must be at least 1', { extensions: { code: 'BAD_USER_INPUT' } });
  }
  const available = quantityOf(store, upc);
  if (available < quantity) return { __typename: 'OutOfStock', product: { upc }, available };
  const taken: StockRecord[] = [];
  let missing = quantity;
  for (const record of store.listStock(upc)) {
    const share = Math.min(missing, record.quantity);
    if (share === 0) continue;
    store.changeStock(record, record.quantity - share);
    taken.push(record);
    missing -= share;
  }
  return {
    __typename: 'Reservation',
    id: store.nextReservationId(),
    items: taken,
    quantity,
    expiresAt: new Date(store.now().getTime() + reservationMinutes * 60_000).toISOString(),
  };
}

export const resolvers: ResolverMap<InventoryStore> = {
  DateTime,
  Decimal,
  Query: {
    warehouses: (_root, _args, { store }) => store.warehouses,
    warehouse: (_root, { code }: { code: string }, { store }) => store.findWarehouse(code),
    lowStock: (_root, { below, first }: { below: number; first: number }, { store }) =>
      store.stock
        .filter(({ quantity }) => quantity < below)
        .sort((a, b) => a.quantity - b.quantity)
        .slice(0, Math.max(0, first)),
  },
  Mutation: {
    updateStock(
      _root,
      { input }: { input: { upc: string; warehouseCode: string; quantity: number } },
      { store },
    ) {
      const record = store.findStock(input.upc, input.warehouseCode);
      if (record !== null) store.changeStock(record, input.quantity);
      return record;
    },
    reserveStock: (_root, { input }: { input: { upc: string; quantity: number } }, { store }) =>
      reserve(store, input.upc, input.quantity),
  },
  Subscription: {
    stockChanged: {
      subscribe: (_root, { upc }: { upc?: string | null }, { store, signal }) =>
        store.stockChanged.subscribe(signal, (change) => upc == null || change.upc === upc),
      resolve: (change: StockChangeRecord) => change,
    },
  },
  Product: {
    __resolveReference: (reference: { upc: string }) => reference,
    inStock: ({ upc }: { upc: string }, _args, { store }) => quantityOf(store, upc) > 0,
    stock({ upc }: { upc: string }, _args, { store }) {
      const total = quantityOf(store, upc);
      return {
        total,
        status: total === 0 ? 'SOLD_OUT' : total < lowStock ? 'LOW' : 'AVAILABLE',
        items: store.listStock(upc),
      };
    },
    shippingEstimate(parent: ParcelParent, { country, express }: { country: string; express: boolean }) {
      const cents = estimateShipping(parent, country, express);
      return cents === null ? null : moneyOf(cents, 'EUR');
    },
    box: (parent: BoxParent) => chooseBox(parent),
  },
  StockItem: {
    __resolveReference: (
      { product, warehouse }: { product: { upc: string }; warehouse: { code: string } },
      { store }: Context,
    ) => store.findStock(product.upc, warehouse.code),
    product: ({ upc }: StockRecord) => ({ upc }),
    warehouse: ({ warehouseCode }: StockRecord, _args, { store }) => store.findWarehouse(warehouseCode),
  },
  Warehouse: {
    __resolveReference: ({ code }: { code: string }, { store }: Context) => store.findWarehouse(code),
    items: ({ code }: WarehouseRecord, { first }: { first: number }, { store }) =>
      store.stock.filter(({ warehouseCode }) => warehouseCode === code).slice(0, Math.max(0, first)),
    aisles({ code }: WarehouseRecord, _args, { store }) {
      const shelves = store.stock
        .filter(({ warehouseCode }) => warehouseCode === code)
        .map(({ quantity }) => quantity);
      const aisleLength = 12;
      return Array.from({ length: Math.ceil(shelves.length / aisleLength) }, (_, aisle) =>
        shelves.slice(aisle * aisleLength, (aisle + 1) * aisleLength),
      );
    },
  },
  StockChange: {
    item: ({ upc, warehouseCode }: StockChangeRecord, _args, { store }) =>
      store.findStock(upc, warehouseCode),
  },
};
