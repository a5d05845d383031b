// A labelled choice of one among many, or of several; its texts stand in one property, and Vue escapes them.
export default {
  template: `
    <label v-if="!several" class="choice">
      <span>{{ label }}</span>
      <select :value="chosen[0]" @change="$emit('choose', [$event.target.value])">
        <template v-for="group in groups" :key="group.name">
          <optgroup v-if="group.name" :label="group.name">
            <option v-for="one in group.options" :key="one[0]" :value="one[0]">{{ one[1] }}</option>
          </optgroup>
          <template v-else>
            <option v-for="one in group.options" :key="one[0]" :value="one[0]">{{ one[1] }}</option>
          </template>
        </template>
      </select>
    </label>
    <details v-else class="choice several">
      <summary class="button">{{ label }} ({{ chosen.length }})</summary>
      <div class="card menu">
        <input v-if="options.length > 12" v-model="typed" type="search" class="field" :aria-label="'find in ' + label" placeholder="find">
        <fieldset v-for="group in groups" :key="group.name">
          <legend>{{ group.name }}</legend>
          <label v-for="one in group.options" :key="one[0]">
            <input type="checkbox" :checked="chosen.includes(one[0])" @change="toggle(one[0], $event.target.checked)">
            <span>{{ one[1] }}</span>
          </label>
        </fieldset>
      </div>
    </details>`,
  props: { label: String, options: Array, chosen: Array, several: Boolean },
  emits: ["choose"],
  data: () => ({ typed: "" }),
  computed: {
    groups() {
      const groups = [];
      const typed = this.typed.toLowerCase();
      for (const one of this.options) {
        if (typed && !one[1].toLowerCase().includes(typed)) continue;
        if (groups.at(-1)?.name !== one[2]) groups.push({ name: one[2], options: [] });
        groups.at(-1).options.push(one);
      }
      return groups;
    },
  },
  methods: {
    toggle(key, on) {
      const chosen = this.options.map((one) => one[0]).filter((one) => (one === key ? on : this.chosen.includes(one)));
      this.$emit("choose", chosen);
    },
  },
};
