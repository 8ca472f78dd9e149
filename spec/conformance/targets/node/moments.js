// Dates and times, which are texts on the wire (VAL-9, VAL-10, VAL-11). JavaScript's Date knows milliseconds only, so
// the texts are kept as they are, and judged here.

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{0,5}[1-9])?$/;
const DATETIME = /^(\d{4}-\d{2}-\d{2})T([^Z+-]+)(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export function isDate(text) {
  const found = DATE.exec(text);
  if (found === null) return false;
  const [year, month, day] = found.slice(1).map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= DAYS[month - 1] + (month === 2 && leap ? 1 : 0);
}

export function isTime(text) {
  return TIME.test(text);
}

export function isDatetime(text) {
  const found = DATETIME.exec(text);
  if (found === null) return false;
  const [, date, time, sign, hours, minutes] = found;
  return isDate(date) && isTime(time) && !(sign !== undefined && hours === '00' && minutes === '00');
}

/** The microseconds since 1970 of a datetime that is one: the same for one moment at two offsets. */
export function instantOf(text) {
  const [, date, time, sign, hours, minutes] = DATETIME.exec(text);
  const [year, month, day] = date.split('-').map(Number);
  const midnight = new Date(0).setUTCFullYear(year, month - 1, day); // Date.UTC takes the year 99 for 1999
  const [hour, minute, second] = time.slice(0, 8).split(':').map(Number);
  const offset = sign === undefined ? 0 : (sign === '+' ? -60 : 60) * (Number(hours) * 60 + Number(minutes));
  const seconds = hour * 3_600 + minute * 60 + second + offset;
  return BigInt(midnight) * 1_000n + BigInt(seconds) * 1_000_000n + BigInt(time.slice(9).padEnd(6, '0'));
}
