export type Currency = 'EUR' | 'USD' | 'GBP';

interface Money {
  readonly amount: string;
  readonly currency: Currency;
}

/** Units of the currency that one euro buys in this shop. */
const ratesPerEuro: Readonly<Record<Currency, number>> = { EUR: 1, USD: 1.1, GBP: 0.85 };

/** Money in the given currency, from cents of a euro. */
export function moneyOf(euroCents: number, currency: Currency): Money {
  return { amount: (Math.round(euroCents * ratesPerEuro[currency]) / 100).toFixed(2), currency };
}
