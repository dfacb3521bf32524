import { generateInventory } from '../shared/generate.ts';
import type { StockRecord, WarehouseRecord } from '../shared/records.ts';
import type { StoreOptions } from '../shared/subgraphDefinition.ts';
import { createTopic, type Topic } from '../shared/topic.ts';

export interface StockChangeRecord {
  readonly upc: string;
  readonly warehouseCode: string;
  readonly previous: number;
  readonly current: number;
  readonly at: string;
}

export interface InventoryStore {
  readonly warehouses: WarehouseRecord[];
  readonly stock: StockRecord[];
  readonly stockChanged: Topic<StockChangeRecord>;
  findWarehouse(code: string): WarehouseRecord | null;
  findStock(upc: string, warehouseCode: string): StockRecord | null;
  /** The stock in all warehouses; empty for a product that no warehouse has. */
  listStock(upc: string): readonly StockRecord[];
  /** Sets the quantity and notifies the subscribers. */
  changeStock(record: StockRecord, quantity: number): void;
  nextReservationId(): string;
  now(): Date;
}

export function createStore({ now = () => new Date() }: StoreOptions = {}): InventoryStore {
  const { warehouses, stock } = generateInventory();
  const byUpc = Map.groupBy(stock, ({ upc }) => upc);
  const stockChanged = createTopic<StockChangeRecord>();
  let reservations = 0;
  const listStock = (upc: string) => byUpc.get(upc) ?? [];
  return {
    warehouses,
    stock,
    stockChanged,
    now,
    listStock,
    findWarehouse: (code) => warehouses.find((warehouse) => warehouse.code === code) ?? null,
    findStock: (upc, warehouseCode) =>
      listStock(upc).find((record) => record.warehouseCode === warehouseCode) ?? null,
    changeStock(record, quantity) {
      const { upc, warehouseCode, quantity: previous } = record;
      record.quantity = quantity;
      stockChanged.publish({ upc, warehouseCode, previous, current: quantity, at: now().toISOString() });
    },
    nextReservationId() {
      reservations += 1;
      return `reservation-${reservations}`;
    },
  };
}
