/* The v15.2 local path at points, on one thread: `CrossAttentionPath.query` in float32.

   Compiled for one model shape (DIM, HEADS, FFN, HEAD_WIDTH, WINDOW) and one processor. A block of
   queries passes through each layer together, so that weights are read once per block. The tokens
   of a query are blended and attended to immediately, so that they stay in the cache. Every sum has
   the order of a single query, so an answer does not depend on the other queries of its block.

   Maps are [rows, columns, DIM]; `spd.models.decoder.compiled_query.pack` orders the weights. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define ACROSS 4 /* vectors of a tile's row: with TALL rows they fill the registers */
#define TALL 6
#elif defined(__AVX__)
#define LANES 8
#define ACROSS 2
#define TALL 6
#else
#define LANES 4
#define ACROSS 2
#define TALL 4
#endif

#define TOKENS (WINDOW * WINDOW)
#define REACH (WINDOW / 2)
#define WIDTH (DIM / HEADS)
#define VECTORS (DIM / LANES)
#define PADDED(n) (((n) + 15) / 16 * 16)
#define BLOCK 24

typedef float vf __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define ALIGNED __attribute__((aligned(64)))

INLINE vf load(const float *from) { return *(const vf *)from; }
INLINE void store(float *to, vf value) { *(vf *)to = value; }
INLINE vf all(float value) { return value - (vf){}; }

INLINE float sum_of(vf value) {
  float total[LANES];
  store(total, value);
  for (int step = LANES / 2; step; step /= 2)
    for (int i = 0; i < step; i++) total[i] += total[i + step];
  return total[0];
}

INLINE vf choose(vi where, vf yes, vf no) {
  return (vf)(((vi)yes & where) | ((vi)no & ~where));
}

/* exp(x), accurate to one or two units in the last place, for -87 <= x <= 88; clamped outside. */
INLINE vf exponential(vf x) {
  x = choose(x < all(-87.0f), all(-87.0f), x);
  x = choose(x > all(88.0f), all(88.0f), x);
  const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  vf shifted = x * all(1.44269504088896341f) + all(magic);
  vf n = shifted - all(magic);
  vf r = x - n * all(0.693359375f) + n * all(2.12194440e-4f);
  vf p = all(1.9875691500e-4f);
  p = p * r + all(1.3981999507e-3f);
  p = p * r + all(8.3334519073e-3f);
  p = p * r + all(4.1665795894e-2f);
  p = p * r + all(1.6666665459e-1f);
  p = p * r + all(5.0000001201e-1f);
  p = p * (r * r) + r + all(1.0f);
  vi power = ((vi)shifted - (vi)all(magic) + 127) << 23;
  return p * (vf)power;
}

/* GELU, x Phi(x), with erf by Abramowitz and Stegun 7.1.26; the error is below 2e-7 |x|. */
INLINE vf gelu(vf x) {
  vf z = x * all(0.70710678118654752f);
  vf a = choose(z < all(0.0f), -z, z);
  vf t = all(1.0f) / (all(1.0f) + all(0.3275911f) * a);
  vf p = all(1.061405429f);
  p = p * t + all(-1.453152027f);
  p = p * t + all(1.421413741f);
  p = p * t + all(-0.284496736f);
  p = p * t + all(0.254829592f);
  vf rest = p * t * exponential(-a * a); /* 1 - erf(|z|) */
  vf phi = all(0.5f) * choose(z < all(0.0f), rest, all(2.0f) - rest);
  return x * phi;
}

/* out[rows, columns] = bias + in[rows, depth] weights[depth, columns]; bias may be absent. */
INLINE void tile(int rows, int across, const float *in, long in_step, const float *weights,
                 long weights_step, const float *bias, int depth, float *out, long out_step) {
  vf sums[TALL][ACROSS];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int c = 0; c < across; c++)
      sums[r][c] = bias ? load(bias + c * LANES) : all(0.0f);
  for (int k = 0; k < depth; k++) {
    vf row[ACROSS];
    UNROLL for (int c = 0; c < across; c++) row[c] = load(weights + k * weights_step + c * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      vf one = all(in[r * in_step + k]);
      UNROLL for (int c = 0; c < across; c++) sums[r][c] += one * row[c];
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int c = 0; c < across; c++) store(out + r * out_step + c * LANES, sums[r][c]);
}

INLINE void columns_of(int across, const float *in, long in_step, int rows, const float *weights,
                       long weights_step, const float *bias, int depth, float *out,
                       long out_step) {
  int r = 0;
#define TILE(n) \
  tile(n, across, in + r * in_step, in_step, weights, weights_step, bias, depth, \
       out + r * out_step, out_step)
  for (; r + TALL <= rows; r += TALL) TILE(TALL);
  switch (rows - r) {
#if TALL > 4
    case 5: TILE(5); break;
    case 4: TILE(4); break;
#endif
    case 3: TILE(3); break;
    case 2: TILE(2); break;
    case 1: TILE(1); break;
  }
#undef TILE
}

static void product(const float *in, long in_step, int rows, const float *weights, int columns,
                    const float *bias, int depth, float *out, long out_step) {
  int c = 0;
  for (; c + ACROSS * LANES <= columns; c += ACROSS * LANES)
    columns_of(ACROSS, in, in_step, rows, weights + c, columns, bias ? bias + c : 0, depth,
               out + c, out_step);
  for (; c < columns; c += LANES)
    columns_of(1, in, in_step, rows, weights + c, columns, bias ? bias + c : 0, depth, out + c,
               out_step);
}

static void normalise(const float *query, int rows, const float *weight, const float *bias,
                      float *out) {
  for (int r = 0; r < rows; r++, query += DIM, out += DIM) {
    vf total = all(0.0f), squares = all(0.0f);
    UNROLL for (int j = 0; j < VECTORS; j++) total += load(query + j * LANES);
    vf mean = all(sum_of(total) / DIM);
    UNROLL for (int j = 0; j < VECTORS; j++) {
      vf off = load(query + j * LANES) - mean;
      squares += off * off;
    }
    vf scale = all(1.0f / sqrtf(sum_of(squares) / DIM + 1e-5f));
    UNROLL for (int j = 0; j < VECTORS; j++) {
      vf off = (load(query + j * LANES) - mean) * scale;
      store(out + j * LANES, off * load(weight + j * LANES) + load(bias + j * LANES));
    }
  }
}

typedef struct {
  const float *cells;
  int rows, columns;
} Map;

typedef struct {
  int row[WINDOW + 1], column[WINDOW + 1];
  float right, down;
} Place;

/* A coordinate in cells, clamped for points outside the map and NaN, so that it fits an int. */
INLINE float in_cells(float pixel, float per_pixel, int cells) {
  float cell = (pixel + 0.5f) * per_pixel - 0.5f;
  return fminf(fmaxf(cell, -1.0f), (float)cells);
}

static Place place_of(const Map *map, const float *point, const float *per_pixel) {
  Place place;
  float x = in_cells(point[0], per_pixel[0], map->columns);
  float y = in_cells(point[1], per_pixel[1], map->rows);
  float left = floorf(x), top = floorf(y);
  place.right = x - left;
  place.down = y - top;
  for (int i = 0; i <= WINDOW; i++) {
    int column = (int)left + i - REACH, row = (int)top + i - REACH;
    place.column[i] = column < 0 ? 0 : column >= map->columns ? map->columns - 1 : column;
    place.row[i] = row < 0 ? 0 : row >= map->rows ? map->rows - 1 : row;
  }
  return place;
}

/* Blend tokens from..to on both axes around a point: along rows, then along columns. */
INLINE void blend(const Map *map, const Place *place, int from, int to, float *tokens) {
  const int wide = to - from;
  float before[WINDOW * DIM] ALIGNED, after[WINDOW * DIM] ALIGNED;
  float *upper = before, *lower = after;
  for (int i = from; i <= to; i++) {
    const float *cells = map->cells + (long)place->row[i] * map->columns * DIM;
    for (int j = from; j < to; j++) {
      const float *one = cells + (long)place->column[j] * DIM;
      const float *next = cells + (long)place->column[j + 1] * DIM;
      UNROLL for (int c = 0; c < VECTORS; c++) {
        vf first = load(one + c * LANES), second = load(next + c * LANES);
        store(lower + (j - from) * DIM + c * LANES, first + all(place->right) * (second - first));
      }
    }
    if (i > from) {
      for (int c = 0; c < wide * DIM; c += LANES) {
        vf first = load(upper + c), second = load(lower + c);
        store(tokens + c, first + all(place->down) * (second - first));
      }
      tokens += wide * DIM;
    }
    float *kept = upper;
    upper = lower;
    lower = kept;
  }
}

/* Prefetch the cells of the next query. */
INLINE void fetch(const Map *map, const Place *place) {
  for (int i = 0; i <= WINDOW; i++)
    for (int j = 0; j <= WINDOW; j++) {
      const float *cell = map->cells + ((long)place->row[i] * map->columns + place->column[j]) * DIM;
      for (int c = 0; c < DIM; c += 16) __builtin_prefetch(cell + c);
    }
}

/* One query of a stage: scores, softmax, weighted sums. `asked` and `read` are [HEADS, padded DIM +
   count]. `asked` holds a head's products with a feature, then with each place; `read` holds the
   mean feature, then the attention weights. */
INLINE void attend(const float *tokens, const int count, const float *asked, float *read) {
  const int step = PADDED(DIM + count);
  float scores[HEADS][PADDED(2 * TOKENS)] ALIGNED;
  for (int n = 0; n < count; n++) {
    vf token[VECTORS];
    UNROLL for (int c = 0; c < VECTORS; c++) token[c] = load(tokens + n * DIM + c * LANES);
    UNROLL for (int h = 0; h < HEADS; h++) {
      vf dot = token[0] * load(asked + h * step);
      UNROLL for (int c = 1; c < VECTORS; c++) dot += token[c] * load(asked + h * step + c * LANES);
      scores[h][n] = sum_of(dot) + asked[h * step + DIM + n];
    }
  }
  for (int h = 0; h < HEADS; h++) {
    const int padded = (count + LANES - 1) / LANES * LANES;
    for (int n = count; n < padded; n++) scores[h][n] = -INFINITY;
    vf most = load(scores[h]);
    for (int n = LANES; n < padded; n += LANES)
      most = choose(load(scores[h] + n) > most, load(scores[h] + n), most);
    float top = -INFINITY;
    for (int i = 0; i < LANES; i++) top = most[i] > top ? most[i] : top;
    vf total = all(0.0f);
    for (int n = 0; n < padded; n += LANES) {
      vf share = exponential(load(scores[h] + n) - all(top));
      share = choose(load(scores[h] + n) == all(-INFINITY), all(0.0f), share);
      store(scores[h] + n, share);
      total += share;
    }
    vf scale = all(1.0f / sum_of(total));
    for (int n = 0; n < padded; n += LANES)
      store(scores[h] + n, load(scores[h] + n) * scale);
    memcpy(read + h * step + DIM, scores[h], count * sizeof(float));
  }
  for (int c = 0; c < DIM; c += LANES) {
    vf sums[HEADS];
    UNROLL for (int h = 0; h < HEADS; h++) sums[h] = all(0.0f);
    for (int n = 0; n < count; n++) {
      vf token = load(tokens + n * DIM + c);
      UNROLL for (int h = 0; h < HEADS; h++) sums[h] += all(scores[h][n]) * token;
    }
    UNROLL for (int h = 0; h < HEADS; h++) store(read + h * step + c, sums[h]);
  }
}

#define MOST PADDED(DIM + 2 * TOKENS)

typedef struct {
  float query[BLOCK * DIM], normal[BLOCK * DIM], heads[BLOCK * DIM], values[BLOCK * DIM];
  float asked[BLOCK * HEADS * MOST], read[BLOCK * HEADS * MOST];
  float wide[BLOCK * FFN], width[BLOCK * HEAD_WIDTH];
  float tokens[2 * TOKENS * DIM];
} Scratch;

INLINE const float *take(const float **weights, long count) {
  const float *taken = *weights;
  *weights += count;
  return taken;
}

/* Run a stage for a block of queries, in place; returns the end of its weights. */
INLINE const float *stage(Scratch *s, int rows, const float *weights, const Map *maps,
                          const int sources, const Place (*places)[BLOCK]) {
  const int count = sources * TOKENS, step = PADDED(DIM + count);
  const float *norm_w = take(&weights, DIM), *norm_b = take(&weights, DIM);
  const float *q_w = take(&weights, DIM * DIM), *q_b = take(&weights, DIM);
  normalise(s->query, rows, norm_w, norm_b, s->normal);
  product(s->normal, DIM, rows, q_w, DIM, q_b, DIM, s->heads, DIM);
  for (int h = 0; h < HEADS; h++)
    product(s->heads + h * WIDTH, DIM, rows, take(&weights, WIDTH * step), step, 0, WIDTH,
            s->asked + h * step, HEADS * step);
  for (int r = 0; r < rows; r++) {
    for (int m = 0; m < sources; m++) {
      if (r + 1 < rows) fetch(maps + m, &places[m][r + 1]);
      blend(maps + m, &places[m][r], 0, WINDOW, s->tokens + m * TOKENS * DIM);
    }
    attend(s->tokens, count, s->asked + r * HEADS * step, s->read + r * HEADS * step);
  }
  for (int h = 0; h < HEADS; h++)
    product(s->read + h * step, HEADS * step, rows, take(&weights, (DIM + count) * WIDTH), WIDTH, 0,
            DIM + count, s->values + h * WIDTH, DIM);
  const float *out_w = take(&weights, DIM * DIM), *out_b = take(&weights, DIM);
  product(s->values, DIM, rows, out_w, DIM, out_b, DIM, s->normal, DIM);
  for (int i = 0; i < rows * DIM; i += LANES)
    store(s->query + i, load(s->query + i) + load(s->normal + i));
  const float *ffn_w = take(&weights, DIM), *ffn_b = take(&weights, DIM);
  const float *up_w = take(&weights, DIM * FFN), *up_b = take(&weights, FFN);
  const float *down_w = take(&weights, FFN * DIM), *down_b = take(&weights, DIM);
  normalise(s->query, rows, ffn_w, ffn_b, s->normal);
  product(s->normal, DIM, rows, up_w, FFN, up_b, DIM, s->wide, FFN);
  for (int i = 0; i < rows * FFN; i += LANES) store(s->wide + i, gelu(load(s->wide + i)));
  product(s->wide, FFN, rows, down_w, DIM, down_b, FFN, s->normal, DIM);
  for (int i = 0; i < rows * DIM; i += LANES)
    store(s->query + i, load(s->query + i) + load(s->normal + i));
  return weights;
}

static void block(Scratch *s, int rows, const Map *maps, const float (*per_pixel)[2],
                  const float *points, const float *weights, float *depth_m) {
  Place places[3][BLOCK];
  for (int m = 0; m < 3; m++)
    for (int r = 0; r < rows; r++)
      places[m][r] = place_of(maps + m, points + 2 * r, per_pixel[m]);
  for (int r = 0; r < rows; r++) /* a query starts as the stride-8 map at its point */
    blend(maps, &places[0][r], REACH, REACH + 1, s->query + r * DIM);
  weights = stage(s, rows, weights, maps, 2, places);
  weights = stage(s, rows, weights, maps + 2, 1, places + 2);
  const float *in_w = take(&weights, DIM * HEAD_WIDTH), *in_b = take(&weights, HEAD_WIDTH);
  const float *last_w = take(&weights, HEAD_WIDTH);
  product(s->query, DIM, rows, in_w, HEAD_WIDTH, in_b, DIM, s->width, HEAD_WIDTH);
  for (int r = 0; r < rows; r++) {
    vf total = all(0.0f);
    for (int i = 0; i < HEAD_WIDTH; i += LANES) {
      vf value = load(s->width + r * HEAD_WIDTH + i);
      total += choose(value > all(0.0f), value, all(0.0f)) * load(last_w + i);
    }
    float raw = sum_of(total) + weights[0];
    depth_m[r] = raw > 20.0f ? raw : log1pf(expf(raw)); /* softplus as torch has it */
  }
}

/* Metres at `count` points (u, v) of one image; every point lies inside it.
   sizes: rows and columns of the stride-8 map, L2 and L1; per_pixel: cells per pixel,
   x and y of each map. */
__attribute__((visibility("default"))) void spd_query(
    const float *s8, const float *l2, const float *l1, const int32_t sizes[6],
    const float per_pixel[6], const float *points, long count, const float *weights,
    float *depth_m) {
  static _Thread_local Scratch scratch ALIGNED;
  const Map maps[3] = {{s8, sizes[0], sizes[1]}, {l2, sizes[2], sizes[3]}, {l1, sizes[4], sizes[5]}};
  for (long first = 0; first < count; first += BLOCK) {
    int rows = count - first < BLOCK ? (int)(count - first) : BLOCK;
    block(&scratch, rows, maps, (const float(*)[2])per_pixel, points + 2 * first, weights,
          depth_m + first);
  }
}
