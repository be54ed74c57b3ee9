/* What swift.py and tables.py do for tables with a key of one leading column: frames, folding and COPY text.
 *
 * Plain C99 without Python: called through ctypes, which lets go of the interpreter meanwhile. Functions return -1
 * when memory ran out and -2 for a message that pgoutput does not send.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

enum { NO_MEMORY = -1, MALFORMED = -2 };
enum { FRAME = 31, AT = 30, ROW_AT = 6, IMAGE_BYTES = 160 };
#define EPOCH_MICROS 946684800000000LL

typedef struct {
    int64_t base, lsn, ordinal, in_transaction, xid, micros, newest, grown, taken, seen;
} Place;

typedef struct {
    int64_t lsn, ordinal, xid, micros;
    uint64_t hash;
    uint8_t *key, *row, *origin; /* row: NULL when it is gone; origin: NULL when no such row was there */
    uint32_t key_size, row_size, row_room, origin_size;
    uint8_t operation;
} Image;

typedef struct {
    Image *images;
    uint32_t *slots; /* index into images plus one; 0 is free */
    uint32_t count, room, mask, columns;
    uint64_t seed;
} Table;

static uint16_t be16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t be32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static uint64_t be64(const uint8_t *at) { return (uint64_t)be32(at) << 32 | be32(at + 4); }

static uint64_t hashed(const Table *table, const uint8_t *key, uint32_t size) {
    uint64_t hash = table->seed ^ size;
    for (uint32_t i = 0; i < size; i++) hash = (hash ^ key[i]) * 0x100000001b3ULL;
    hash ^= hash >> 29;
    return hash * 0x9e3779b97f4a7c15ULL;
}

Table *table_new(uint32_t columns, uint64_t seed) {
    Table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    table->columns = columns, table->seed = seed ^ 0xcbf29ce484222325ULL, table->mask = 63;
    table->slots = calloc(64, sizeof *table->slots);
    if (!table->slots) { free(table); return NULL; }
    return table;
}

void table_free(Table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        free(table->images[i].key);
        free(table->images[i].row);
        free(table->images[i].origin);
    }
    free(table->images);
    free(table->slots);
    free(table);
}

static uint32_t *slot_of(const Table *table, const uint8_t *key, uint32_t size, uint64_t hash) {
    uint32_t at = (uint32_t)(hash >> 32) & table->mask;
    for (;; at = (at + 1) & table->mask) {
        uint32_t number = table->slots[at];
        if (!number) return &table->slots[at];
        const Image *image = &table->images[number - 1];
        if (image->hash == hash && image->key_size == size && !memcmp(image->key, key, size)) return &table->slots[at];
    }
}

static int grow(Table *table) {
    if (table->count == table->room) {
        uint32_t room = table->room ? table->room * 2 : 32;
        Image *images = realloc(table->images, room * sizeof *images);
        if (!images) return NO_MEMORY;
        table->images = images, table->room = room;
    }
    if (table->count * 2 <= table->mask) return 0;
    uint32_t size = (table->mask + 1) * 2, *slots = calloc(size, sizeof *slots);
    if (!slots) return NO_MEMORY;
    free(table->slots);
    table->slots = slots, table->mask = size - 1;
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t at = (uint32_t)(table->images[i].hash >> 32) & table->mask;
        while (slots[at]) at = (at + 1) & table->mask;
        slots[at] = i + 1;
    }
    return 0;
}

Image *table_find(const Table *table, const uint8_t *key, uint32_t size) {
    uint32_t number = *slot_of(table, key, size, hashed(table, key, size));
    return number ? &table->images[number - 1] : NULL;
}

static Image *added(Table *table, const uint8_t *key, uint32_t size, uint64_t hash) {
    if (grow(table)) return NULL;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return NULL;
    memcpy(copy, key, size);
    Image *image = &table->images[table->count];
    memset(image, 0, sizeof *image);
    image->key = copy, image->key_size = size, image->hash = hash;
    *slot_of(table, key, size, hash) = ++table->count;
    return image;
}

static int kept(uint8_t **place, uint32_t *room, const uint8_t *bytes, uint32_t size) {
    if (!*place || *room < size) {
        uint8_t *more = malloc(size ? size : 1);
        if (!more) return NO_MEMORY;
        free(*place);
        *place = more, *room = size;
    }
    memcpy(*place, bytes, size);
    return 0;
}

/* Sets the image of a key; `row` and `origin` may be NULL, and `grown` gets the bytes that are held beside. Returns 0. */
int64_t table_put(Table *table, const uint8_t *key, uint32_t key_size, uint8_t operation, const uint8_t *row,
                  uint32_t row_size, const uint8_t *origin, uint32_t origin_size, const int64_t *stamp, int64_t *grown) {
    uint64_t hash = hashed(table, key, key_size);
    uint32_t number = *slot_of(table, key, key_size, hash);
    Image *image = number ? &table->images[number - 1] : added(table, key, key_size, hash);
    if (!image) return NO_MEMORY;
    *grown = (int64_t)row_size - image->row_size + (number ? 0 : IMAGE_BYTES + key_size);
    if (row) {
        if (kept(&image->row, &image->row_room, row, row_size)) return NO_MEMORY;
    } else {
        free(image->row);
        image->row = NULL, image->row_room = 0;
    }
    image->row_size = row_size;
    uint8_t *from = NULL;
    if (origin) {
        if (!(from = malloc(origin_size ? origin_size : 1))) return NO_MEMORY;
        memcpy(from, origin, origin_size);
    }
    free(image->origin);
    image->origin = from, image->origin_size = origin_size, image->operation = operation;
    image->lsn = stamp[0], image->ordinal = stamp[1], image->xid = stamp[2], image->micros = stamp[3];
    return 0;
}

/* A row's next column: its kind; `value` and `size` of a text. 0 where the row is none. */
static uint8_t column(const uint8_t **at, const uint8_t *end, const uint8_t **value, uint32_t *size) {
    if (*at >= end) return 0;
    uint8_t kind = *(*at)++;
    if (kind == 'n' || kind == 'u') return kind;
    if (kind != 't' || end - *at < 4) return 0;
    *size = be32(*at), *value = *at + 4;
    if ((int64_t)*size > end - *value) return 0;
    *at = *value + *size;
    return kind;
}

/* `row` with what it left out taken from `known`, in new memory; NULL in `*made` where it left out nothing. */
static int carried(const uint8_t *row, uint32_t row_size, const uint8_t *known, uint32_t known_size, uint8_t **made,
                   uint32_t *made_size) {
    const uint8_t *at = row + ROW_AT + 2, *end = row + row_size, *value;
    uint32_t size, count = be16(row + ROW_AT);
    int missing = 0;
    *made = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = column(&at, end, &value, &size);
        if (!kind) return MALFORMED;
        missing |= kind == 'u';
    }
    if (!missing) return 0;
    if (known_size < ROW_AT + 2 || be16(known + ROW_AT) != count) return MALFORMED;
    uint8_t *to = *made = malloc((size_t)row_size + known_size);
    if (!to) return NO_MEMORY;
    memcpy(to, row, ROW_AT + 2);
    to += ROW_AT + 2, at = row + ROW_AT + 2;
    const uint8_t *old = known + ROW_AT + 2, *old_end = known + known_size;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *from = at, *old_from = old;
        uint8_t kind = column(&at, end, &value, &size);
        if (!column(&old, old_end, &value, &size)) { free(*made); return MALFORMED; }
        size_t part = kind == 'u' ? (size_t)(old - old_from) : (size_t)(at - from);
        memcpy(to, kind == 'u' ? old_from : from, part);
        to += part;
    }
    *made_size = (uint32_t)(to - *made);
    return 0;
}

/* One INSERT, UPDATE without an old row, or DELETE; 1: it is special, and nothing was done with it. */
static int change(Table *table, Place *place, const uint8_t *message, uint32_t size) {
    uint8_t kind = message[0];
    if (size < 13 || (kind == 'U' && message[5] != 'N') || message[8] != 't') return 1;
    const uint8_t *key = message + 13;
    uint32_t key_size = be32(message + 9);
    if (key_size > size - 13) return MALFORMED;
    int64_t stamp[] = {place->lsn, place->ordinal, place->xid, place->micros}, grown;
    if (kind == 'D') {
        if (table_put(table, key, key_size, 'd', NULL, 0, NULL, 0, stamp, &grown)) return NO_MEMORY;
    } else {
        uint64_t hash = hashed(table, key, key_size);
        uint32_t number = *slot_of(table, key, key_size, hash), row_size = size;
        Image *image = number ? &table->images[number - 1] : added(table, key, key_size, hash);
        uint8_t *whole = NULL;
        if (!image) return NO_MEMORY;
        grown = number ? 0 : IMAGE_BYTES + key_size;
        if (!number) {
            if (kind == 'U') {
                uint32_t room = 0;
                if (kept(&image->origin, &room, key, key_size)) return NO_MEMORY;
                image->origin_size = key_size;
            }
        } else if (image->row && kind == 'U') {
            int failed = carried(message, size, image->row, image->row_size, &whole, &row_size);
            if (failed) return failed;
        }
        int was_new = number ? image->operation == 'c' && kind == 'U' : kind == 'I';
        image->operation = was_new ? 'c' : 'u';
        grown += (int64_t)row_size - image->row_size;
        if (whole) {
            free(image->row);
            image->row = whole, image->row_room = row_size;
        } else if (kept(&image->row, &image->row_room, message, row_size)) return NO_MEMORY;
        image->row_size = row_size;
        image->lsn = stamp[0], image->ordinal = stamp[1], image->xid = stamp[2], image->micros = stamp[3];
    }
    place->grown += grown;
    return 0;
}

/* See swift.run; `oids` and `tables` are `known` pairs, a NULL table is passed over. */
int64_t run(Place *place, const uint32_t *oids, Table *const *tables, uint32_t known, const uint8_t *buffer,
            int64_t size, int64_t at, int64_t enough, int64_t most, int64_t enough_changes, int64_t most_changes) {
    while (size - at >= FRAME && place->grown < most && place->taken < most_changes) {
        const uint8_t *frame = buffer + at, *message = frame + AT;
        int64_t stop = at + 1 + be32(frame + 1);
        if (stop > size || frame[0] != 'd' || frame[5] != 'w' || stop - at < FRAME) break;
        uint32_t length = (uint32_t)(stop - at - AT);
        int64_t lsn = (int64_t)be64(frame + 6);
        uint8_t kind = message[0];
        if (kind == 'I' || kind == 'U' || kind == 'D') {
            if (length < 8) return MALFORMED;
            uint32_t oid = be32(message + 1), found = 0;
            while (found < known && oids[found] != oid) found++;
            if (found == known || (kind == 'U' && message[5] != 'N')) break;
            int64_t last = place->lsn, ordinal = place->ordinal;
            place->ordinal = lsn == last ? ordinal + 1 : 0, place->lsn = lsn;
            if (tables[found]) {
                int failed = change(tables[found], place, message, length);
                if (failed == 1) {
                    place->lsn = last, place->ordinal = ordinal;
                    break;
                }
                if (failed) return failed;
                place->taken++;
                if (place->micros > place->newest) place->newest = place->micros;
            }
        } else if (kind == 'B' && length >= 21) {
            place->micros = (int64_t)be64(message + 9) + EPOCH_MICROS;
            place->xid += (int32_t)(be32(message + 17) - (uint32_t)place->xid);
            place->in_transaction = 1, place->lsn = -1;
        } else if (kind == 'C' && length >= 26 && place->grown < enough && place->taken < enough_changes) {
            int64_t end = (int64_t)be64(message + 10);
            if (end > place->base) place->base = end;
            place->in_transaction = 0, place->lsn = -1;
        } else break;
        place->seen = lsn, at = stop;
    }
    return at;
}

static const char SPECIAL[14] = {0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 'v', 'f', 'r'};

static uint8_t *escaped(uint8_t *to, const uint8_t *value, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        uint8_t byte = value[i];
        if (byte == '\\') *to++ = '\\', *to++ = '\\';
        else if (byte < 14 && SPECIAL[byte]) *to++ = '\\', *to++ = (uint8_t)SPECIAL[byte];
        else *to++ = byte;
    }
    return to;
}

/* A text[] literal of one value, as COPY text: what the literal escapes is escaped again. */
static uint8_t *array_of(uint8_t *to, const uint8_t *value, uint32_t size) {
    *to++ = '{', *to++ = '"';
    for (uint32_t i = 0; i < size; i++) {
        if (value[i] == '\\' || value[i] == '"') *to++ = '\\', *to++ = '\\';
        to = escaped(to, value + i, 1);
    }
    *to++ = '"', *to++ = '}';
    return to;
}

typedef struct { uint8_t *text; int64_t size, rows, deletes, unchanged, moved; } Text;

static uint8_t *decimal(uint8_t *to, int64_t number) {
    uint8_t digits[20], *at = digits + 20;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0) *to++ = '-';
    do *--at = (uint8_t)('0' + rest % 10); while (rest /= 10);
    memcpy(to, at, (size_t)(digits + 20 - at));
    return to + (digits + 20 - at);
}

static uint8_t *null(uint8_t *to) { return *to++ = '\\', *to++ = 'N', to; }

static uint8_t *line(uint8_t *to, const Table *table, const Image *image, Text *out) {
    const uint8_t *at, *end, *value;
    uint32_t size, count = table->columns;
    const int64_t stamp[] = {image->lsn, image->ordinal, image->xid, image->micros};
    *to++ = image->row ? image->operation : 'd';
    for (int i = 0; i < 4; i++) *to++ = '\t', to = decimal(to, stamp[i]);
    *to++ = '\t';
    if (!image->row) {
        out->deletes++;
        to = null(to), *to++ = '\t', to = null(to);
        *to++ = '\t', to = escaped(to, image->key, image->key_size);
        for (uint32_t i = 1; i < count; i++) *to++ = '\t', to = null(to);
        return *to++ = '\n', to;
    }
    end = image->row + image->row_size;
    if (image->row_size < ROW_AT + 2 || be16(image->row + ROW_AT) != count) return NULL;
    uint8_t *mask = to, any = 0;
    at = image->row + ROW_AT + 2;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = column(&at, end, &value, &size);
        if (!kind) return NULL;
        any |= kind == 'u', *to++ = kind == 'u' ? '1' : '0';
    }
    if (any) out->unchanged++;
    else to = null(mask);
    *to++ = '\t';
    if (image->origin && (image->origin_size != image->key_size || memcmp(image->origin, image->key, image->key_size))) {
        out->moved++;
        to = array_of(to, image->origin, image->origin_size);
    } else to = null(to);
    at = image->row + ROW_AT + 2;
    for (uint32_t i = 0; i < count; i++) {
        *to++ = '\t';
        to = column(&at, end, &value, &size) == 't' ? escaped(to, value, size) : null(to);
    }
    return *to++ = '\n', to;
}

/* Behind all that may be there already: rows that are new with the batch come first. */
static int is_later(const Image *image) { return !(image->row && image->operation == 'c'); }

/* All lines, in memory that `text_free` frees. Returns 0. */
int64_t table_text(const Table *table, Text *out) {
    size_t room = 1 << 16;
    memset(out, 0, sizeof *out);
    if (!(out->text = malloc(room))) return NO_MEMORY;
    for (uint32_t number = 0; number < 2 * table->count; number++) {
        const Image *image = &table->images[number % table->count];
        if (is_later(image) != (number >= table->count)) continue;
        size_t most = 128 + 5 * (size_t)table->columns + 4 * (size_t)image->origin_size +
                      2 * ((size_t)image->row_size + image->key_size);
        if (room - (size_t)out->size < most) {
            while (room - (size_t)out->size < most) room += room / 2;
            uint8_t *more = realloc(out->text, room);
            if (!more) { free(out->text); return NO_MEMORY; }
            out->text = more;
        }
        uint8_t *end = line(out->text + out->size, table, image, out);
        if (!end) { free(out->text); return MALFORMED; }
        out->size = end - out->text;
    }
    out->rows = table->count;
    return 0;
}

void text_free(Text *text) { free(text->text); }
