// ---- A plane of dots with names, which can be moved and zoomed ----

/** How much larger than the whole plane it can be seen. */
const MOST_ZOOM = 60;
/** The most names that are shown at once. */
const MOST_NAMES = 160;
/** The most dots that are tried for a name, so that a frame takes the same time for any number of them. */
const MOST_TRIED = 1500;
/** The most pictures of names that are kept; the oldest goes first. */
const MOST_STAMPS = 3000;
/** The width of what surrounds a name, and the height of its picture, in pixels. */
const HALO = 1.5;
const NAME_HEIGHT = 20;
const FONT = "12px system-ui, sans-serif";
/** The parts of the box, in pixels, that the outermost dots keep free: at the right for their names. */
const MARGIN = { left: 14, right: 64, top: 16, bottom: 14 };

/**
 * Draws dots into a canvas that fills `box`. `at(id)` is a dot's place, each coordinate from -1 to 1, and `look()` says
 * how dots look: `{ radius(id), colour(id), dim(id), faint, order, strong, lines, main }`. Dots and names are drawn for
 * the ids of `order`, the more important first. Those of `strong` have a ring and a bold name, that of `main` a larger
 * one. `lines` are pairs of ids, and `faint` is how much of a dim dot is seen.
 * `chosen(id)` is called when a dot is clicked, `pointed(id or null)` when the pointer comes to one.
 */
const plane = (box, { name, at, look, chosen, pointed }) => {
  const canvas = element("canvas", { tabIndex: 0 });
  box.append(canvas);
  const context = canvas.getContext("2d");
  /** The middle of the view and its zoom; 1 is the whole plane. */
  let view = { x: 0, y: 0, zoom: 1 };
  let size = { width: 0, height: 0 };
  let flight = null;
  let waiting = false;

  const scale = () => ({
    x: (view.zoom * Math.max(1, size.width - MARGIN.left - MARGIN.right)) / 2,
    y: (view.zoom * Math.max(1, size.height - MARGIN.top - MARGIN.bottom)) / 2,
  });
  const middle = () => ({
    x: MARGIN.left + (size.width - MARGIN.left - MARGIN.right) / 2,
    y: MARGIN.top + (size.height - MARGIN.top - MARGIN.bottom) / 2,
  });
  /** Where a dot is on the canvas. */
  const place = (id) => {
    const [x, y] = at(id);
    const across = (size.width - MARGIN.left - MARGIN.right) / 2;
    const down = (size.height - MARGIN.top - MARGIN.bottom) / 2;
    return [MARGIN.left + across * (1 + (x - view.x) * view.zoom), MARGIN.top + down * (1 - (y - view.y) * view.zoom)];
  };

  // -- Drawing --

  /** Pictures of names, which are copied far faster than letters are drawn. */
  const stamps = new Map();
  const stamp = (key, width, height, draw) => {
    const whole = `${key} ${devicePixelRatio}`;
    if (!stamps.has(whole)) {
      const made = document.createElement("canvas");
      made.width = Math.ceil(width * devicePixelRatio);
      made.height = Math.ceil(height * devicePixelRatio);
      const on = made.getContext("2d");
      on.scale(devicePixelRatio, devicePixelRatio);
      draw(on);
      if (stamps.size >= MOST_STAMPS) stamps.delete(stamps.keys().next().value);
      stamps.set(whole, made);
    }
    return stamps.get(whole);
  };
  const widths = new Map();
  const widthOf = (id, font) => {
    const key = `${font} ${id}`;
    if (!widths.has(key)) {
      context.font = font;
      widths.set(key, context.measureText(name(id)).width);
    }
    return widths.get(key);
  };
  const nameStamp = (id, font, { text, surface }) =>
    stamp(`${id} ${font} ${text}`, widthOf(id, font) + 2 * HALO, NAME_HEIGHT, (on) => {
      on.font = font;
      on.textBaseline = "middle";
      on.lineJoin = "round";
      on.lineWidth = 2 * HALO;
      on.strokeStyle = surface;
      on.strokeText(name(id), HALO, NAME_HEIGHT / 2);
      on.fillStyle = text;
      on.fillText(name(id), HALO, NAME_HEIGHT / 2);
    });
  /** Copies a picture to a place, on whole pixels, where it stays sharp. */
  const put = (picture, x, y) => {
    const ratio = devicePixelRatio;
    context.drawImage(picture, Math.round(x * ratio) / ratio, Math.round(y * ratio) / ratio, picture.width / ratio, picture.height / ratio);
  };

  const paint = () => {
    waiting = false;
    if (flight) flight();
    const ratio = devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const looks = look();
    const inView = paintDots(looks);
    paintLines(looks);
    looks.strong.toReversed().forEach((id) => paintRing(id, looks));
    paintNames([...looks.strong, ...inView], looks);
    context.globalAlpha = 1;
    // For whoever wants to know where a dot is.
    const [by, center] = [scale(), middle()];
    canvas.dataset.view = JSON.stringify([center.x - view.x * by.x, by.x, center.y + view.y * by.y, -by.y]);
    if (flight) again();
  };
  /**
   * Draws the dots, the more important ones last; gives those in view, the more important first. They are mixed into the
   * pixels here, as ten thousand calls of the canvas would take several frames.
   */
  const paintDots = ({ order, colour, radius, dim, faint, surface }) => {
    const inView = [];
    const ratio = devicePixelRatio;
    const { width, height } = canvas;
    if (pixels?.width !== width || pixels.height !== height) pixels = context.createImageData(Math.max(1, width), Math.max(1, height));
    const rgb = rgbOf(surface);
    new Uint32Array(pixels.data.buffer).fill((255 << 24) | (rgb[2] << 16) | (rgb[1] << 8) | rgb[0]);
    for (let index = order.length - 1; index >= 0; index -= 1) {
      const id = order[index];
      const [x, y] = place(id);
      if (x < -20 || y < -20 || x > size.width + 20 || y > size.height + 20) continue;
      mixDot(Math.round(x * ratio), Math.round(y * ratio), discOf(radius(id) * ratio), rgbOf(colour(id)), dim(id) ? faint : 0.8);
      inView.push(id);
    }
    context.putImageData(pixels, 0, 0);
    return inView.reverse();
  };
  let pixels = null;
  const mixDot = (x, y, { side, cover }, [red, green, blue], share) => {
    const { data: to, width, height } = pixels;
    const [left, top] = [x - (side >> 1), y - (side >> 1)];
    for (let row = Math.max(0, -top); row < side && top + row < height; row += 1) {
      for (let column = Math.max(0, -left); column < side && left + column < width; column += 1) {
        const part = cover[row * side + column] * share;
        const at = 4 * ((top + row) * width + left + column);
        to[at] += (red - to[at]) * part;
        to[at + 1] += (green - to[at + 1]) * part;
        to[at + 2] += (blue - to[at + 2]) * part;
      }
    }
  };
  /** How much of each pixel of a square a disc covers. */
  const discs = new Map();
  const discOf = (radius) => {
    if (!discs.has(radius)) {
      const middle = Math.ceil(radius);
      const side = 2 * middle + 1;
      const distance = (index) => Math.hypot((index % side) - middle, Math.floor(index / side) - middle);
      const cover = Float32Array.from({ length: side * side }, (_, index) => Math.min(1, Math.max(0, radius + 0.5 - distance(index))));
      discs.set(radius, { side, cover });
    }
    return discs.get(radius);
  };
  /** Red, green and blue of a colour such as #12ab9f. */
  const rgbs = new Map();
  const rgbOf = (colour) => {
    if (!rgbs.has(colour)) rgbs.set(colour, [1, 3, 5].map((from) => parseInt(colour.slice(from, from + 2), 16)));
    return rgbs.get(colour);
  };
  const paintLines = ({ lines, colour }) => {
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    for (const [from, to] of lines) {
      context.strokeStyle = colour(to);
      context.beginPath();
      context.moveTo(...place(from));
      context.lineTo(...place(to));
      context.stroke();
    }
  };
  const paintRing = (id, { colour, radius, text, surface }) => {
    const [x, y] = place(id);
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(x, y, radius(id) + 1.5, 0, 7);
    context.fillStyle = colour(id);
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = surface;
    context.stroke();
    context.lineWidth = 1;
    context.strokeStyle = text;
    context.beginPath();
    context.arc(x, y, radius(id) + 2.5, 0, 7);
    context.stroke();
  };
  /** Draws names where they cover no other name; the first ones come first. */
  const paintNames = (candidates, looks) => {
    const { dim, faint, radius, main } = looks;
    const strong = new Set(looks.strong);
    const boxes = [];
    const done = new Set();
    let tried = 0;
    for (const id of candidates) {
      if (done.size >= MOST_NAMES || tried >= MOST_TRIED) break;
      if (done.has(id)) continue;
      tried += 1;
      const font = id === main ? "bold 15px system-ui, sans-serif" : strong.has(id) ? `bold ${FONT}` : FONT;
      const [x, y] = place(id);
      const left = x + radius(id) + (strong.has(id) ? 6 : 3);
      const box = [left - 2, y - 8, left + widthOf(id, font) + 6, y + 8];
      if (boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      boxes.push(box);
      done.add(id);
      context.globalAlpha = dim(id) ? faint + 0.2 : 1;
      put(nameStamp(id, font, looks), left - HALO, y - NAME_HEIGHT / 2);
    }
  };
  const again = () => {
    if (!waiting) requestAnimationFrame(paint);
    waiting = true;
  };
  new ResizeObserver(() => {
    size = { width: box.clientWidth, height: box.clientHeight };
    canvas.width = Math.round(size.width * devicePixelRatio);
    canvas.height = Math.round(size.height * devicePixelRatio);
    clamp();
    paint();
  }).observe(box);

  // -- Moving --

  const clamp = () => {
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom));
    // The nearer the view, the more of its box may be empty, so that dots at the rim can come to the middle.
    const free = Math.min(1, 2 * (1 - 1 / view.zoom));
    view.x = Math.min(free, Math.max(-free, view.x));
    view.y = Math.min(free, Math.max(-free, view.y));
    // A finger on the whole plane scrolls the page.
    canvas.style.touchAction = view.zoom > 1.01 ? "none" : "pan-y";
    canvas.style.cursor = view.zoom > 1.01 ? "grab" : "default";
  };
  const lookAt = (next) => {
    flight = null;
    view = next;
    clamp();
    again();
  };
  /** Moves to a view in some steps, unless the reader prefers none. */
  const fly = (to) => {
    if (still.matches) return lookAt(to);
    const from = { ...view };
    const began = performance.now();
    flight = () => {
      const done = Math.min(1, (performance.now() - began) / 600);
      const eased = done < 0.5 ? 2 * done * done : 1 - 2 * (1 - done) * (1 - done);
      const mix = (a, b) => a + (b - a) * eased;
      view = { x: mix(from.x, to.x), y: mix(from.y, to.y), zoom: Math.exp(mix(Math.log(from.zoom), Math.log(to.zoom))) };
      clamp();
      if (done === 1) flight = null;
    };
    again();
  };
  /** The view that is zoomed by a factor around a place of the canvas, which stays where it is. */
  const zoomed = (factor, [x, y] = [middle().x, middle().y]) => {
    const [by, center] = [scale(), middle()];
    const zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
    const left = 1 - view.zoom / zoom;
    return { x: view.x + ((x - center.x) / by.x) * left, y: view.y - ((y - center.y) / by.y) * left, zoom };
  };
  const moved = (dx, dy) => ({ ...view, x: view.x - dx / scale().x, y: view.y + dy / scale().y });

  const pointers = new Map();
  let dragged = 0;
  const within = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  /** The dot nearest to a place, within a reach that fits the pointer. */
  const hit = ([x, y], reach) => {
    let nearest = null;
    let least = reach;
    for (const id of look().order) {
      const [dx, dy] = place(id);
      const distance = Math.hypot(dx - x, dy - y);
      if (distance < least) [nearest, least] = [id, distance];
    }
    return nearest;
  };
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, within(event));
    if (pointers.size === 1) dragged = 0;
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const to = within(event);
    const from = pointers.get(event.pointerId);
    if (from === undefined) return event.pointerType === "mouse" && pointed(hit(to, 12), to);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, to);
    dragged += Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (other) {
      const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
      lookAt(zoomed(apart(to) / apart(from), other));
    } else if (view.zoom > 1 && dragged > 3) {
      pointed(null);
      lookAt(moved(to[0] - from[0], to[1] - from[1]));
    }
  });
  const released = (event) => {
    const was = pointers.delete(event.pointerId);
    if (!was || event.type !== "pointerup" || dragged > 6) return;
    const id = hit(within(event), event.pointerType === "mouse" ? 12 : 22);
    if (id !== null) chosen(id);
  };
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, released);
  canvas.addEventListener("pointerleave", () => pointed(null));
  // The wheel alone scrolls the page.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      lookAt(zoomed(Math.exp(-event.deltaY / 200), within(event)));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => fly(zoomed(2, within(event))));
  canvas.addEventListener("keydown", (event) => {
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) lookAt(moved(...moves[event.key]));
    else if (event.key === "+" || event.key === "=") lookAt(zoomed(1.5));
    else if (event.key === "-") lookAt(zoomed(1 / 1.5));
    else if (event.key === "0") lookAt({ x: 0, y: 0, zoom: 1 });
    else return;
    event.preventDefault();
  });

  return {
    canvas,
    again,
    zoomBy: (factor) => fly(zoomed(factor)),
    whole: () => fly({ x: 0, y: 0, zoom: 1 }),
    /** Flies to the first of these dots, and so near that the others are in view too if they can be. */
    flyTo: (ids) => {
      const [x, y] = at(ids[0]);
      const far = Math.max(...ids.map((id) => Math.max(Math.abs(at(id)[0] - x), Math.abs(at(id)[1] - y))), 0.001);
      fly({ x, y, zoom: Math.min(6, Math.max(2.5, 0.6 / far)) });
    },
  };
};
