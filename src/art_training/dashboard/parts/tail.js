// The end of a log: it follows what is written, unless one has scrolled up to read.
export default {
  template: `
    <div class="tail">
      <pre ref="box" class="log" tabindex="0" role="region" aria-label="Lines of the log" @scroll="scrolled"><span v-if="first"
        class="soft">... {{ first }} earlier lines: art log has them all\n</span>{{ lines.join("\\n") }}</pre>
      <button v-if="!following" type="button" class="button" @click="follow">To the end</button>
    </div>`,
  props: { most: Number },
  data() {
    return { lines: [], first: 0, following: true };
  },
  mounted() {
    this.$emit("ready", {});
  },
  methods: {
    // Lines from the one with this number on, which stand in the place of those that are there.
    feed(from, added) {
      const apart = from > this.first + this.lines.length || from < this.first;
      const lines = (apart ? [] : this.lines.slice(0, from - this.first)).concat(added);
      if (apart) this.first = from;
      const more = Math.max(lines.length - this.most, 0);
      this.first += more;
      this.lines = lines.slice(more);
      if (this.following) this.$nextTick(this.follow);
    },
    scrolled() {
      const box = this.$refs.box;
      this.following = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
    },
    follow() {
      const box = this.$refs.box;
      box.scrollTop = box.scrollHeight;
      this.following = true;
    },
  },
};
