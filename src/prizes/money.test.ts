import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../../tests/fairness/seed.ts'
import {
  AMOUNT_MINOR_MAX,
  amountOf,
  amountText,
  DISTANCE_M_MAX,
  decimalsOf,
  definedAmountOf,
  kilometresText,
  least,
  limitMetresOf,
  metresOf,
  percentageOf,
} from './money.ts'

describe('money: amounts', () => {
  for (const [value, decimals, amount_minor] of [
    [75.5, 2, 7550n],
    [75.5, 3, 75500n],
    ['75.50', 2, 7550n],
    ['75.5', 2, 7550n],
    [45, 2, 4500n],
    [0, 2, 0n],
    [-0, 2, 0n],
    ['0', 0, 0n],
    ['0.01', 2, 1n],
    [0.1, 2, 10n],
    // As binary fractions these two, times 100, are 28.999999999999996 and 1.1500000000000001.
    [0.29, 2, 29n],
    [1.15, 2, 115n],
    [4.35, 2, 435n],
    [500, 0, 500n],
    ['1.234', 3, 1234n],
    [9999999999999.99, 2, AMOUNT_MINOR_MAX],
    ['9999999999999.99', 2, AMOUNT_MINOR_MAX],
  ] as const) {
    it(`S2-18 ${JSON.stringify(value)} with ${decimals} decimals is ${amount_minor} minor units`, () => {
      assert.equal(amountOf(value, decimals), amount_minor)
    })
  }

  it('S2-18 what is no amount of the currency is refused, whoever writes it how', () => {
    const hostile = [
      ...[
        '',
        ' ',
        '75.505',
        '75,50',
        '-1',
        '-0.01',
        '+1',
        '1e2',
        '.5',
        '5.',
        '075',
        '00',
        '1 000',
        ' 1',
        '1 ',
      ],
      ...['1\n', '0x10', '1_000', '१', '７', '∞', 'NaN', 'Infinity', '1.2.3', '75.500', '10000000000000.00'],
      ...['9'.repeat(41), '9'.repeat(100_000), `0.${'0'.repeat(100_000)}`],
      ...[75.505, -1, -0.01, 1e21, 1e-7, 5e-324, 0.1 + 0.2, Number.NaN, Number.POSITIVE_INFINITY, 1e13],
    ]
    assert.deepEqual(
      hostile.filter((value) => amountOf(value, 2) !== null),
      [],
    )
    assert.equal(amountOf('1.5', 0), null)
    assert.equal(amountOf(1.5, 0), null)
  })

  it('S2-18 every amount that can be written comes back, as text and as a JSON number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: AMOUNT_MINOR_MAX }), fc.nat(4), (amount_minor, decimals) => {
        const text = amountText(amount_minor, decimals)
        assert.equal(amountOf(text, decimals), amount_minor)
        assert.equal(amountOf(JSON.parse(text), decimals), amount_minor)
        assert.equal(definedAmountOf(text, decimals), amount_minor)
      }),
      propertyOptions(500),
    )
  })

  it('S2-18 amounts are written with all decimals of their currency', () => {
    assert.deepEqual(
      [amountText(755n, 2), amountText(5n, 2), amountText(0n, 2), amountText(-5n, 2), amountText(5n, 0)],
      ['7.55', '0.05', '0.00', '-0.05', '5'],
    )
  })

  it('S2-29 a definition of 50.00 means 50 yen, and 50.50 yen do not exist', () => {
    assert.equal(definedAmountOf('50.00', decimalsOf('JPY')), 50n)
    assert.equal(definedAmountOf('50.50', decimalsOf('JPY')), null)
    assert.equal(definedAmountOf('50.00', decimalsOf('EUR')), 5000n)
    assert.equal(definedAmountOf('50.00', decimalsOf('KWD')), 50000n)
    assert.equal(definedAmountOf('-50.00', 2), null)
    assert.equal(definedAmountOf('10000000000000', 2), null)
  })

  it('S2-25 a currency has the decimals of ISO 4217', () => {
    assert.deepEqual(
      ['EUR', 'USD', 'JPY', 'KRW', 'KWD', 'TND', 'CLF', 'HUF'].map(decimalsOf),
      [2, 2, 0, 0, 3, 3, 4, 2],
    )
  })
})

describe('money: distances', () => {
  for (const [value, distance_m] of [
    [5.2, 5_200],
    ['15.0', 15_000],
    [15, 15_000],
    [15.01, 15_010],
    ['15.01', 15_010],
    [0, 0],
    [15.0000001, 15_001],
    ['15.0009', 15_001],
    ['15.0010', 15_001],
    [1e-7, 1],
    [5e-324, 1],
    [1.005, 1_005],
    [20_038, DISTANCE_M_MAX],
  ] as const) {
    it(`S2-33 ${JSON.stringify(value)} km is ${distance_m} m, rounded up`, () => {
      assert.equal(metresOf(value), distance_m)
    })
  }

  it('S2-33 what is no distance on earth is refused', () => {
    const hostile = [
      '',
      '-1',
      '5,2',
      'far',
      '1e3',
      '5 km',
      '9'.repeat(50),
      -0.1,
      20_038.0001,
      1e300,
      Number.NaN,
    ]
    assert.deepEqual(
      hostile.filter((value) => metresOf(value) !== null),
      [],
    )
  })

  it('S2-33 rounding up to a metre changes no comparison with a limit in whole metres', () => {
    const decimal = fc
      .tuple(fc.nat(30), fc.stringMatching(/^[0-9]{1,9}$/))
      .map(([km, fraction]) => `${km}.${fraction}`)
    fc.assert(
      fc.property(decimal, fc.nat(30_000), (text, limit_m) => {
        const [km = '', fraction = ''] = text.split('.')
        const exact = BigInt(km + fraction.padEnd(9, '0'))
        assert.equal(metresOf(text)! > limit_m, exact > BigInt(limit_m) * 1_000_000n)
      }),
      propertyOptions(500),
    )
  })

  it('S2-33 a limit is given to the metre at most', () => {
    assert.equal(limitMetresOf('15.005'), 15_005)
    assert.equal(limitMetresOf(10), 10_000)
    assert.equal(limitMetresOf('15.0005'), null)
    assert.equal(limitMetresOf('-15'), null)
  })

  it('S2-33 kilometres are written without needless zeros', () => {
    assert.deepEqual([15_000, 15_010, 10, 1, 100_000, 0].map(kilometresText), [
      '15',
      '15.01',
      '0.01',
      '0.001',
      '100',
      '0',
    ])
  })
})

describe('money: percentages', () => {
  for (const [base_minor, share_bps, part_minor] of [
    [7550n, 1000n, 755n],
    [20000n, 1500n, 3000n],
    [1n, 5000n, 1n],
    [1n, 4999n, 0n],
    [5n, 1000n, 1n],
    [4n, 1000n, 0n],
    [15n, 1000n, 2n],
    [25n, 1000n, 3n],
    [0n, 10_000n, 0n],
    [AMOUNT_MINOR_MAX, 10_000n, AMOUNT_MINOR_MAX],
  ] as const) {
    it(`S2-21 ${share_bps} basis points of ${base_minor} are ${part_minor}, half rounded up`, () => {
      assert.equal(percentageOf(base_minor, share_bps), part_minor)
    })
  }

  it('S2-21 the rounded percentage is the nearest integer, and of two nearest the larger', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: AMOUNT_MINOR_MAX }),
        fc.bigInt({ min: 0n, max: 10_000n }),
        (base_minor, share_bps) => {
          const off = percentageOf(base_minor, share_bps) * 10_000n - base_minor * share_bps
          assert.ok(off > -5_000n && off <= 5_000n, String(off))
        },
      ),
      propertyOptions(500),
    )
  })

  it('S2-22 the least of amounts is the least wherever it stands', () => {
    assert.deepEqual([least(3n), least(3n, 1n, 2n), least(1n, 2n), least(2n, 2n)], [3n, 1n, 1n, 2n])
  })
})
