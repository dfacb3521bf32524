export type Currency = 'EUR' | 'USD' | 'GBP';

interface Money {
  readonly amount: string;
  readonly currency: Currency;
}

/** How many units of the currency one euro buys in this shop. */
const ratesPerEuro: Readonly<Record<Currency, number>> = { EUR: 1, USD: 1.1, GBP: 0.85 };

/** Converts cents of a euro to an amount in the given currency. */
export function moneyOf(euroCents: number, currency: Currency): Money {
  return { amount: (Math.round(euroCents * ratesPerEuro[currency]) / 100).toFixed(2), currency };
}
